"""Folders of recordings: grouping into instruments, the choice of windows for clips, and broken files."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from index.sources.base import Note, is_playable, is_silent
from index.sources.folder import MAX_CLIPS, FolderSource
from index.sources.ids import is_safe
from models.errors import SourceError
from tests.index.conftest import write_tone
from tests.index.tiny_banks import lie_about_length, lie_about_rate

RATE, CLIP = 16_000, 16_000  # clips of one second keep these tests quick


def loudest_hz(clip: np.ndarray) -> int:
    return int(np.abs(np.fft.rfft(clip)).argmax() * RATE / len(clip))


def test_subfolders_and_loose_files_are_instruments(tmp_path: Path) -> None:
    write_tone(tmp_path / "Fretless Bass" / "b.wav", 110)
    write_tone(tmp_path / "Fretless Bass" / "deep" / "a.flac", 220)
    write_tone(tmp_path / "oboe.ogg", 440)
    write_tone(tmp_path / ".hidden.wav", 440)
    write_tone(tmp_path / "__MACOSX" / "oboe.wav", 440)
    write_tone(tmp_path / "Fretless Bass" / "._b.wav", 440)
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme.txt").write_text("no audio")
    source = FolderSource(tmp_path)
    assert len(source) == 2
    assert [(one.name, one.family, one.source) for one in source] == [
        ("Fretless Bass", "bass", f"{tmp_path.name}/Fretless Bass"),
        ("oboe", "reed", f"{tmp_path.name}/oboe.ogg"),
    ]
    bass, _ = source
    assert [loudest_hz(clip) for clip in bass.clips(RATE, CLIP)] == [110, 220]
    assert bass.faults == ()


def test_a_long_loop_gives_several_windows_and_a_short_one_is_repeated(tmp_path: Path) -> None:
    write_tone(tmp_path / "loop.wav", 200, seconds=20.5)
    write_tone(tmp_path / "shot.wav", 300, seconds=0.25)
    loop, shot = FolderSource(tmp_path)
    assert loop.clips(RATE, CLIP).shape == (MAX_CLIPS, CLIP)
    (clip,) = shot.clips(RATE, CLIP)
    assert clip.shape == (CLIP,)
    beats = clip.reshape(4, CLIP // 4)
    assert beats[0].any()
    assert (beats == beats[0]).all()


def test_clips_are_spread_over_the_files(tmp_path: Path) -> None:
    for i in range(40):
        write_tone(tmp_path / "sampled" / f"{i:03d}.wav", 200 + 10 * i, seconds=3.0)
    (sampled,) = FolderSource(tmp_path)
    found = [loudest_hz(clip) for clip in sampled.clips(RATE, CLIP)]
    assert len(set(found)) == MAX_CLIPS
    assert min(found) == 200
    assert max(found) == 590


def test_every_file_comes_before_the_second_window_of_any(tmp_path: Path) -> None:
    for i, seconds in enumerate((30.0, 0.5, 30.0)):
        write_tone(tmp_path / "few" / f"{i}.wav", 200 * (i + 1), seconds=seconds)
    (few,) = FolderSource(tmp_path)
    found = [loudest_hz(clip) for clip in few.clips(RATE, CLIP)]
    assert found[:5] == [200, 400, 600, 200, 600]
    assert len(found) == MAX_CLIPS


def test_silent_windows_are_dropped(tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    sf.write(tmp_path / "gap.wav", np.concatenate([tone, np.zeros(2 * RATE), tone]), RATE)
    (gap,) = FolderSource(tmp_path)
    clips = gap.clips(RATE, CLIP)
    assert len(clips) == 2
    assert not any(is_silent(clip) for clip in clips)


def test_files_that_cannot_be_used_beside_others_are_faults(tmp_path: Path) -> None:
    write_tone(tmp_path / "horn" / "good.wav", 300)
    (tmp_path / "horn" / "bad.wav").write_bytes(b"this is no wave file at all")
    (tmp_path / "horn" / "empty.mp3").write_bytes(b"")
    sf.write(tmp_path / "horn" / "silent.wav", np.zeros(RATE), RATE)
    (horn,) = FolderSource(tmp_path)
    assert len(horn.clips(RATE, CLIP)) == 1
    faults = dict(horn.faults)
    assert sorted(faults) == ["bad.wav", "empty.mp3", "silent.wav"]
    assert "not an audio file" in faults["bad.wav"]
    assert faults["silent.wav"] == "silent"


def test_an_instrument_with_nothing_to_hear_is_refused_with_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"this is no wave file at all")
    (bad,) = FolderSource(tmp_path)
    with pytest.raises(SourceError, match=r"bad has no usable audio .*bad\.wav: .*not an audio file"):
        bad.clips(RATE, CLIP)
    with pytest.raises(SourceError, match="silent or cannot be decoded"):
        bad.preview()


def test_previews_join_the_beginnings_of_the_files(tmp_path: Path) -> None:
    for i in range(3):
        write_tone(tmp_path / "shots" / f"{i}.wav", 300, seconds=0.4)
    write_tone(tmp_path / "long.wav", 300, seconds=12)
    long, shots = FolderSource(tmp_path)
    for instrument, seconds in ((long, 6.0), (shots, 1.3)):
        samples, sample_rate = instrument.preview()
        assert sample_rate == 44_100
        assert len(samples) / sample_rate == pytest.approx(seconds, abs=0.05)
        assert np.abs(samples).max() == pytest.approx(10 ** (-3 / 20), rel=0.01)


def test_ids_are_safe_unique_and_those_of_a_single_file_short(tmp_path: Path) -> None:
    for name in ("My Kit/Kick 1.wav", "My Kit/kick-1.wav", "My Kit/kick-1.ogg", "My Kit/尺八/a.wav"):
        write_tone(tmp_path / name, 100, seconds=0.1)
    ids = [one.id for one in FolderSource(tmp_path / "My Kit")]
    assert len(set(ids)) == 4
    assert all(is_safe(made) and made.startswith("my_kit_") for made in ids)
    (single,) = FolderSource(tmp_path / "My Kit" / "Kick 1.wav")
    assert (single.id, single.name, single.source) == ("kick_1", "Kick 1", "Kick 1.wav")


def test_recordings_cannot_be_played_but_carry_the_licence_beside_them(tmp_path: Path) -> None:
    write_tone(tmp_path / "viola" / "a.wav", 300)
    write_tone(tmp_path / "oboe.wav", 300)
    (tmp_path / "viola" / "LICENSE").write_text("CC0")
    (tmp_path / "COPYING.txt").write_text("public domain")
    source = FolderSource(tmp_path)
    assert {one.name: one.licence for one in source} == {"oboe": "see COPYING.txt", "viola": "see LICENSE"}
    assert not any(is_playable(one) for one in source)
    assert source.files == (tmp_path / "oboe.wav", tmp_path / "viola" / "a.wav")


def test_files_and_folders_that_cannot_be_read_are_faults_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tone(tmp_path / "viola" / "a.wav", 300)
    write_tone(tmp_path / "locked" / "b.wav", 300)
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    (tmp_path / "viola" / "c.wav").symlink_to("nowhere.wav")
    scandir = os.scandir

    def guarded(path: str) -> object:
        """Deny access to one folder. Permission bits are not enough: the superuser, as in containers, may read any folder."""
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    source = FolderSource(tmp_path)
    assert [one.name for one in source] == ["viola"]
    assert sorted(what for what, _ in source.faults) == ["gone.wav", "locked", "viola/c.wav"]
    assert "Permission denied" in dict(source.faults)["locked"]


def test_a_header_that_lies_gives_what_is_there(tmp_path: Path) -> None:
    lie_about_length(write_tone(tmp_path / "long.wav", 300))
    lie_about_rate(write_tone(tmp_path / "fast.wav", 300), 4_000_000_000)
    fast, long = FolderSource(tmp_path)
    assert long.clips(RATE, CLIP).shape == (1, CLIP)
    with pytest.raises(SourceError, match=r"fast has no usable audio"):
        fast.clips(RATE, CLIP)


def test_one_shots_play_the_nearest_sample_transposed_by_a_fifth_at_most(tmp_path: Path) -> None:
    for name, hz, seconds in (("low", 220.0, 0.6), ("high", 440.0, 0.6), ("loop", 300.0, 13.0)):
        write_tone(tmp_path / "Bells" / f"{name}.wav", hz, seconds=seconds)
    write_tone(tmp_path / "Bells" / "noise.wav", 50.0, seconds=0.6)
    (bells,) = FolderSource(tmp_path)

    def pitch_of(samples: np.ndarray, sample_rate: int) -> float | None:
        hz = np.abs(np.fft.rfft(samples)).argmax() * sample_rate / len(samples)
        return None if hz < 100 else round(69 + 12 * np.log2(hz / 440))

    played = bells.one_shots(pitch_of)
    assert dict(played.faults) == {"loop.wav": "longer than 12 s", "noise.wav": "not a single note"}
    assert [pitch for pitch in range(128) if played.reaches(pitch)] == list(range(57 - 7, 69 + 7 + 1))
    pitches = (50, 58, 68, 76, 80)  # the last is out of reach
    notes = [Note(pitch, 100, 0.5 * place, 0.5 * place + 0.2) for place, pitch in enumerate(pitches)]
    samples = played.play(notes, 2.5, RATE)
    for place, pitch in enumerate(pitches[:-1]):
        part = samples[place * RATE // 2 :][: RATE // 5]
        assert loudest_hz(part) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), abs=5)
    assert is_silent(samples[2 * RATE :])
    (tmp_path / "Bells" / "high.wav").unlink()
    (tmp_path / "Bells" / "low.wav").unlink()
    (left,) = FolderSource(tmp_path)
    with pytest.raises(
        SourceError, match=r"no sample of Bells is a single note \(loop.wav: longer than 12 s; noise"
    ):
        left.one_shots(pitch_of)
