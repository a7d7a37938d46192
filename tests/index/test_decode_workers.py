"""Attacks on decoding: workers that crash, hang, fill up or lie cost their own file, in words, and nothing else."""

import os
import signal
import struct
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from index.decoding.limits import DecodeLimits
from index.decoding.remote_source import DecodingOpener, RemoteInstrument, RemoteSource
from index.decoding.workers import DecodeWorkers
from index.sources.base import Note, SourceInstrument
from index.sources.opening import open_source
from index.sources.soundfont import SoundFontSource
from models.audio import decode
from models.errors import AudioTooLarge, DecodingStopped, NotAudio, RangeOutsideAudio, SourceError
from tests.index.conftest import write_tone
from tests.index.tiny_sfz import write_sfz
from tests.index.tiny_soundfont import PATCHES, write_soundfont
from tests.models.audio_files import ALL_FORMATS, aac_file, file_of, sine

RATE = 16_000
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc, seccomp and Landlock are Linux's")


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour of silence, a hole on the disk, that takes seconds to decode."""
    return write_hole(tmp_path_factory.mktemp("long") / "long.wav", seconds=1700, rate=44_100, channels=2)


def write_hole(path: Path, *, seconds: int, rate: int, channels: int) -> Path:
    """Write a wav of 16 bits whose samples are a hole."""
    frame = 2 * channels
    size = seconds * rate * frame
    head = struct.pack(
        "<4sI4s4sIHHIIHH",
        b"RIFF",
        size + 36,
        b"WAVE",
        b"fmt ",
        16,
        1,
        channels,
        rate,
        rate * frame,
        frame,
        16,
    )
    with path.open("wb") as file:
        file.write(head + struct.pack("<4sI", b"data", size))
        file.truncate(44 + size)
    return path


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_samples_are_those_of_this_process(workers: DecodeWorkers, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "song"
    stereo = np.stack([sine(2.5, 44_100)] * 2, 1)
    container = {"m4a": "mp4", "aac": "adts"}.get(kind)
    rate = 48_000 if kind == "opus" else 44_100
    file = aac_file(stereo, rate, container) if container else file_of(stereo, rate, kind)
    path.write_bytes(file.getvalue())
    for start, end in ((0.0, None), (0.7, 1.3)):
        there, here = (
            decoder(path, sample_rate=RATE, start_seconds=start, end_seconds=end)
            for decoder in (workers.decode, decode)
        )
        np.testing.assert_array_equal(there.samples, here.samples)
        assert (there.duration_seconds, there.range_seconds) == (here.duration_seconds, here.range_seconds)


def test_errors_cross_with_their_values(workers: DecodeWorkers, tmp_path: Path) -> None:
    song = write_tone(tmp_path / "a.wav", 440.0, seconds=2.0)
    with pytest.raises(AudioTooLarge, match=r"a\.wav is longer") as too_large:
        workers.decode(song, sample_rate=RATE, max_seconds=1.0, name="a.wav")
    assert too_large.value.limit == 1.0
    with pytest.raises(RangeOutsideAudio):
        workers.decode(song, sample_rate=RATE, start_seconds=5.0)
    (tmp_path / "b.wav").write_bytes(b"no audio")
    with pytest.raises(NotAudio, match="\u202egnp"):
        workers.check(tmp_path / "b.wav", "\u202egnp.wav\n")
    assert not workers.stopped


def test_a_worker_is_used_again_and_replaced_in_time(tmp_path: Path) -> None:
    song = write_tone(tmp_path / "a.wav", 440.0)
    with closing(DecodeWorkers(DecodeLimits(files_per_worker=3))) as workers:
        seen = []
        for _ in range(4):
            workers.decode(song, sample_rate=RATE)
            seen.append(tuple(workers.pids))
        assert seen[0] == seen[1] != ()
        assert seen[2] == ()
        assert seen[3] not in (seen[0], ())
        assert not workers.stopped


def test_a_crash_costs_one_file_and_the_others_go_on(tmp_path: Path, long_song: Path) -> None:
    song = write_tone(tmp_path / "a.wav", 440.0)
    with closing(DecodeWorkers()) as workers:
        errors: list[DecodingStopped] = []

        def ask() -> None:
            try:
                workers.decode(long_song, sample_rate=RATE, name="evil.wav", admit=lambda _: began.set())
            except DecodingStopped as error:
                errors.append(error)

        began = threading.Event()
        workers.decode(song, sample_rate=RATE)
        (pid,) = workers.pids
        thread = threading.Thread(target=ask)
        thread.start()
        assert began.wait(60)
        os.kill(pid, signal.SIGSEGV)
        assert len(workers.decode(song, sample_rate=RATE).samples) == RATE  # meanwhile
        thread.join()
        assert errors[0].message.startswith("evil.wav is damaged")
        assert errors[0].value == "SIGSEGV"
        assert workers.stopped == {"crash": 1}
        assert len(workers.decode(song, sample_rate=RATE).samples) == RATE  # afterwards


@pytest.mark.parametrize(
    ("limits", "reason", "setting"),
    [
        (DecodeLimits(wall_seconds=0.3), "time", "SHOWME_DECODE_SECONDS"),
        (DecodeLimits(cpu_seconds=0.0), "processor", "SHOWME_DECODE_CPU_SECONDS"),
    ],
)
def test_a_file_that_takes_too_long(long_song: Path, limits: DecodeLimits, reason: str, setting: str) -> None:
    with closing(DecodeWorkers(limits)) as workers:
        workers.held()
        with pytest.raises(DecodingStopped, match=setting) as refused:
            workers.decode(long_song, sample_rate=48_000, name="slow.wav")
        assert refused.value.limit in (limits.wall_seconds, limits.cpu_seconds)
        assert workers.stopped == {reason: 1}


@LINUX
def test_a_file_that_needs_too_much_memory(tmp_path: Path) -> None:
    song = write_tone(tmp_path / "a.wav", 440.0)
    with closing(DecodeWorkers()) as workers:
        workers.decode(song, sample_rate=RATE)
        status = Path(f"/proc/{workers.pids[0]}/status").read_text()
        needed = 1024 * int(status.split("VmSize:")[1].split()[0])
    wide = write_hole(tmp_path / "wide.wav", seconds=1, rate=192_000, channels=32)  # 8 MiB a block
    with closing(DecodeWorkers(DecodeLimits(memory_bytes=needed + 2 * 1024**2))) as workers:
        with pytest.raises(DecodingStopped, match="SHOWME_DECODE_MEMORY_BYTES"):
            workers.decode(wide, sample_rate=RATE)
        assert workers.stopped == {"memory": 1}
        assert len(workers.decode(song, sample_rate=RATE).samples) == RATE


def test_refused_samples_leave_no_answer_behind(
    workers: DecodeWorkers, tmp_path: Path, long_song: Path
) -> None:
    def refuse(seconds: float) -> None:
        if seconds > 5:
            raise BufferError(seconds)

    with pytest.raises(BufferError):
        workers.decode(long_song, sample_rate=RATE, admit=refuse)
    assert len(workers.decode(write_tone(tmp_path / "a.wav", 440.0), sample_rate=RATE).samples) == RATE


# Sources


@pytest.fixture
def opener(workers: DecodeWorkers) -> DecodingOpener:
    return DecodingOpener(workers)


def test_sources_are_what_they_are_in_this_process(opener: DecodingOpener, tmp_path: Path) -> None:
    font = write_soundfont(tmp_path / "Tiny.sf2", PATCHES[:3])
    sfz = write_sfz(tmp_path / "bank", "<region> sample=c4.wav <region> sample=none.wav")
    write_tone(tmp_path / "plain/Bass/a.wav", 110.0)
    for path in (font, sfz.parent, tmp_path / "plain"):
        there, here = opener.open_source(path), open_source(path)
        assert (there.name, len(there), there.faults) == (here.name, len(here), here.faults)
        instruments: tuple[list[SourceInstrument], list[SourceInstrument]] = ([*there], [*here])
        for one, other in zip(*instruments, strict=True):
            for name in ("id", "name", "family", "source", "licence", "playable_range"):
                assert getattr(one, name) == getattr(other, name)
            np.testing.assert_array_equal(one.clips(RATE, RATE), other.clips(RATE, RATE))
            np.testing.assert_array_equal(one.preview()[0], other.preview()[0])
            assert one.preview()[1] == other.preview()[1]
            assert one.faults == other.faults
        assert there.get(one.id).name == one.name


def test_notes_are_played_as_in_this_process_and_the_worker_ends_with_its_instrument(tmp_path: Path) -> None:
    font = write_soundfont(tmp_path / "Tiny.sf2", PATCHES[:2])
    song = write_tone(tmp_path / "song.wav", 440.0)
    notes = (Note(60, 100, 0.0, 0.3), Note(67, 80, 0.2, 0.6))
    here, seconds = SoundFontSource(font).get("tiny_000_000"), 0.8
    with closing(DecodeWorkers()) as workers:
        opener = DecodingOpener(workers)
        there = next(iter(opener.open_source(font)))
        assert isinstance(there, RemoteInstrument)
        np.testing.assert_array_equal(there.play(notes, seconds, RATE), here.play(notes, seconds, RATE))
        assert len(workers._sources) == 1
        del there
        assert not workers._sources
        request = {"path": str(song), "as": "any"}
        recording = RemoteSource(workers, request, song, tmp_path).get("song")
        with pytest.raises(SourceError, match="song is made of recordings"):
            recording.play(notes, seconds, RATE)


def test_a_source_is_an_error_in_words(opener: DecodingOpener, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        opener.open_source(tmp_path / "none.sf2")
    (tmp_path / "a.sf2").write_bytes(b"RIFF")
    with pytest.raises(SourceError, match="not a complete SoundFont") as refused:
        opener.open_source(tmp_path / "a.sf2")
    assert refused.value.value == "a.sf2"


def test_an_enrollment_survives_the_death_of_its_worker(tmp_path: Path) -> None:
    with closing(DecodeWorkers()) as workers:
        source = DecodingOpener(workers).open_source(write_soundfont(tmp_path / "Tiny.sf2", PATCHES[:3]))
        assert isinstance(source, RemoteSource)
        sounds = []
        for place, instrument in enumerate(source):
            if place == 1:
                (worker,) = workers._sources
                os.kill(worker.pid, signal.SIGKILL)
                os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
            sounds.append(instrument.clips(RATE, RATE))
        assert len(sounds) == 3
        assert not workers._sources  # ended with the loop


@LINUX
@pytest.mark.parametrize("how", ["reference", "link"])
def test_an_upload_reads_nothing_beside_it(workers: DecodeWorkers, tmp_path: Path, how: str) -> None:
    """The reader refuses both; where Landlock is, the system would too."""
    write_tone(tmp_path / "secret.wav", 220.0)
    upload = tmp_path / "upload"
    text = "<region> sample=../../../secret.wav" if how == "reference" else "<region> sample=link.wav"
    write_sfz(upload / "0/bank", f"{text}\n<region> sample=c4.wav")
    if how == "link":
        (upload / "0/bank/link.wav").symlink_to(tmp_path / "secret.wav")
    source = DecodingOpener(workers).open_place(upload / "0/bank")
    (instrument,) = source
    instrument.clips(RATE, RATE)
    assert any("outside" in reason for _, reason in instrument.faults), instrument.faults
    worker = workers.source_worker(upload, 1024**3)
    try:
        if "landlock" in worker.held:
            request = {"do": "open", "path": str(tmp_path / "secret.wav"), "as": "any"}
            place = worker.request(request, "secret")["instruments"]  # named, since names are no secret
            assert len(place) == 1
            with pytest.raises(SourceError, match="Permission denied"):
                worker.request(
                    {"do": "clips", "place": 0, "sample_rate": RATE, "clip_samples": RATE}, "secret"
                )
    finally:
        workers.release(worker)


def test_files_that_hang_do_not_hold_up_an_enrollment_for_ever(tmp_path: Path, long_song: Path) -> None:
    for number in range(6):
        (tmp_path / f"upload/{number}").mkdir(parents=True)
        (tmp_path / f"upload/{number}/a.wav").hardlink_to(long_song)
    with closing(DecodeWorkers(DecodeLimits(wall_seconds=0.02))) as workers:
        workers.held()
        reasons = []
        for instrument in DecodingOpener(workers).open_source(tmp_path / "upload"):
            with pytest.raises(SourceError) as refused:
                instrument.clips(48_000, 48_000 * 600)
            reasons.append(refused.value.message)
        assert "was not decoded in 0.02 s" in reasons[0]
        assert "left out" in reasons[-1]
        assert workers.stopped["time"] <= 4
