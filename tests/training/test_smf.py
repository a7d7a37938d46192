"""Standard MIDI files from the wild: sloppy ones are read, each kind of damage is named, no bytes raise other errors."""

import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest

import training.smf as smf
from tests.training.tiny_midi import END, LET_GO, NOTE, PRESS, chunk, file_of, times_in, tracks_in
from tests.training.tiny_notes import write_midi
from training.midi_notes import MAX_HOURS, MAX_NOTE_SECONDS, read_tracks
from training.smf import MAX_FILE_BYTES, MidiDamaged


def test_running_status_velocity_zero_and_strange_events_are_read() -> None:
    song = (
        b"\0\x90\x3c\x40\x83\x60\x3c\0"
        + b"\0\xf0\x03\x01\x02\xf7"
        + b"\0\xff\x59\0"
        + b"\0\x3e\x40\x83\x60\x3e\0"
    )
    data = file_of(song + END)
    head, body = data[:14], data[14:]
    assert times_in(head + chunk(b"\x90\x90", b"XFIH") + body) == [(0, 1), (1, 2)]
    longer_header = b"MThd" + struct.pack(">IHHH", 8, 1, 1, 480) + b"\0\0"
    assert times_in(longer_header + body + b"left over") == [(0, 1), (1, 2)]


def test_a_marked_end_counts_more_than_a_length_that_lies() -> None:
    data = file_of(NOTE + END)
    assert times_in(data[:18] + struct.pack(">I", 5_000) + data[22:]) == [(0, 1)]
    assert times_in(file_of(NOTE)) == [(0, 1)]
    assert times_in(file_of(NOTE + END + NOTE)) == [(0, 1)]


def test_the_last_tempo_of_a_tick_holds_and_smpte_time_has_none() -> None:
    slow, fast = b"\0\xff\x51\3\x0f\x42\x40", b"\0\xff\x51\3\x03\xd0\x90"
    assert times_in(file_of(slow + fast + END, NOTE + END)) == [(0, 0.5)]
    assert times_in(file_of(fast + slow + NOTE + END)) == [(0, 2)]
    quarter_hundredths = -25 % 256 << 8 | 40  # 1000 ticks a second
    np.testing.assert_allclose(times_in(file_of(slow + NOTE + END, division=quarter_hundredths)), [(0, 0.96)])


LATE = b"\xff\xff\xff\x7f"
DAMAGED = {
    "no header": [b"", b"MThd", b"RIFF" + bytes(40), b"not a midi file at all"],
    "broken header": [
        file_of(NOTE + END, division=0),
        file_of(NOTE + END, division=0x8001),
        file_of(NOTE + END, form=7),
        b"MThd" + struct.pack(">IHHH", 2, 1, 1, 480) + chunk(NOTE + END),
    ],
    "format 2": [file_of(NOTE + END, form=2)],
    "truncated": [
        file_of(NOTE + END)[:-6],
        file_of(NOTE + END, NOTE + END)[:-15],
        file_of(NOTE + b"\0\xff\x01\x20hello"),
        file_of(NOTE + b"\0"),
    ],
    "broken track": [
        file_of(b"\0\x3c\x40" + END),
        file_of(NOTE + b"\0\xf5\0" + END),
        file_of(b"\xff\xff\xff\xff\x7f" + NOTE[1:] + END),
    ],
    "out of range": [file_of(b"\0\x90\xc8\x40" + END), file_of(b"\0\x90\x3c\xc0" + END)],
    "no notes": [file_of(END), file_of(), file_of(b"\0\x80\x3c\0" + END), file_of(b"\0\x90\x3c\x40" + END)],
    "tempo 0": [file_of(b"\0\xff\x51\3\0\0\0" + NOTE + END), file_of(b"\0\xff\x51\0" + NOTE + END)],
    "too long": [file_of((LATE + PRESS + LATE + LET_GO) * 9 + END)],
}


@pytest.mark.parametrize(
    ("kind", "data"), [(kind, data) for kind, files in DAMAGED.items() for data in files]
)
def test_damage_is_named(kind: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.mid").write_bytes(data)
    with pytest.raises(MidiDamaged) as caught:
        read_tracks(tmp_path / "x.mid")
    assert caught.value.reason.split(":")[0] == kind


def test_twelve_hours_are_too_long_and_six_are_not(tmp_path: Path) -> None:
    for hours in (12.0, MAX_HOURS):
        write_midi(
            tmp_path / f"{hours}.mid", [(0, 0, [(60, 0.0, 1.0), (60, 3600 * hours - 2, 3600 * hours)])]
        )
    assert len(read_tracks(tmp_path / f"{MAX_HOURS}.mid")[0].notes) == 2
    with pytest.raises(MidiDamaged, match=r"^too long: 12\.0 h, at most 6 h$"):
        read_tracks(tmp_path / "12.0.mid")


def test_too_many_events_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smf, "MAX_EVENTS", 10)
    assert len(tracks_in(file_of(NOTE * 5 + END))[0].notes) == 5
    with pytest.raises(MidiDamaged, match="too many events"):
        tracks_in(file_of(NOTE * 6 + END))


def test_what_is_no_readable_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "gone.mid").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle.mid").symlink_to("circle.mid")
    os.mkfifo(tmp_path / "pipe.mid")
    for name in ("folder.mid", "gone.mid", "circle.mid", "pipe.mid", "missing.mid", "nul\0.mid"):
        with pytest.raises(MidiDamaged, match=r"^unreadable: "):
            read_tracks(tmp_path / name)
    with (tmp_path / "huge.mid").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(MidiDamaged, match=r"^too large: "):
        read_tracks(tmp_path / "huge.mid")


def test_mutated_files_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    notes = [(40 + i % 40, 0.2 * i, 0.2 * i + 0.5) for i in range(60)]
    write_midi(tmp_path / "a.mid", [(0, 40, notes), (9, 0, notes), (3, 19, notes[:20])])
    whole, chance = (tmp_path / "a.mid").read_bytes(), random.Random(3)
    read = 0
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3])):
            place = chance.randrange(len(data))
            data[place : place + chance.choice([0, 1, 1, 1, 9])] = chance.randbytes(
                chance.choice([0, 1, 1, 1, 5])
            )
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        try:
            tracks = tracks_in(bytes(data))
        except MidiDamaged:
            continue
        read += 1
        for track in tracks:
            table = track.notes
            assert np.isfinite(table).all()
            assert 0 <= table[:, :2].min() <= table[:, :2].max() <= 127
            assert 0 <= track.program <= 127
            assert (np.diff(table[:, 2]) >= 0).all()
            assert (table[:, 3] - table[:, 2] > 0.04).all()
            assert table[:, 3].max() <= MAX_HOURS * 3600 + MAX_NOTE_SECONDS
    assert read > 50
