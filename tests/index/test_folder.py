"""Folders of recordings: what is an instrument, which windows become clips, and what happens to broken files."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from index.sources import FolderSource, SoundFontSource, open_source
from index.sources.base import is_silent
from index.sources.folder import MAX_CLIPS
from models.errors import SourceError
from tests.index.conftest import write_tone

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


def test_a_long_loop_gives_several_windows_and_a_short_one_is_padded(tmp_path: Path) -> None:
    write_tone(tmp_path / "loop.wav", 200, seconds=20.5)
    write_tone(tmp_path / "shot.wav", 300, seconds=0.25)
    loop, shot = FolderSource(tmp_path)
    assert loop.clips(RATE, CLIP).shape == (MAX_CLIPS, CLIP)
    (clip,) = shot.clips(RATE, CLIP)
    assert clip.shape == (CLIP,)
    assert clip[:4000].any()
    assert not clip[4000:].any()


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
    with pytest.raises(SourceError, match=r"bad has no audio .*bad\.wav: .*not an audio file"):
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


def test_sources_open_by_what_they_are(tmp_path: Path, font: Path) -> None:
    tone = write_tone(tmp_path / "one" / "viola.wav", 300)
    assert isinstance(open_source(font), SoundFontSource)
    folder = open_source(tmp_path / "one")
    assert isinstance(folder, FolderSource)
    assert folder.name == "one"
    single = open_source(tone)
    assert len(single) == 1
    assert [(one.name, one.source) for one in single] == [("viola", "viola.wav")]


def test_other_things_are_refused_naming_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "notes.txt", tmp_path / "missing.wav", tmp_path / "empty"):
        with pytest.raises(SourceError) as caught:
            open_source(path)
        assert ".wav" in str(caught.value.limit)
