"""MIDI files of parts: what is written is what our own reader reads."""

from hypothesis import given
from hypothesis import strategies as st

from models.recognition.midi_file import TICKS_A_SECOND, midi_bytes, velocity_of
from models.recognition.notes import HeardNote
from training.midi_notes import MIN_NOTE_SECONDS, tracks_of
from training.smf import parse_events

TICK = 1 / TICKS_A_SECOND
Row = tuple[int, int, float, float]


def read(data: bytes) -> list[Row]:
    tracks = tracks_of(parse_events(data))
    return sorted((int(p), int(v), float(a), float(b)) for track in tracks for p, v, a, b in track.notes)


@st.composite
def lines(draw: st.DrawFn) -> list[HeardNote]:
    """One note or more that do not overlap with others of their pitch, in any order."""
    notes = []
    for pitch in draw(st.lists(st.integers(0, 127), min_size=1, max_size=4, unique=True)):
        at = 0.0
        for gap, length, strength in draw(
            st.lists(
                st.tuples(st.floats(0.01, 3), st.floats(0.06, 3), st.floats(0, 1)), min_size=1, max_size=5
            )
        ):
            notes.append(HeardNote(pitch, at + gap, at + gap + length, 1.0, strength))
            at += gap + length
    return draw(st.permutations(notes))


@given(lines(), st.text(max_size=200), st.none() | st.integers(0, 127))
def test_the_reader_reads_back_the_notes(notes: list[HeardNote], name: str, program: int | None) -> None:
    expected = sorted((one.pitch, velocity_of(one), one.start_seconds, one.end_seconds) for one in notes)
    data = midi_bytes(notes, name, program)
    found = read(data)
    assert len(found) == len(expected)
    for ours, true in zip(found, expected, strict=True):
        assert ours[:2] == true[:2]
        assert all(abs(a - b) <= TICK for a, b in zip(ours[2:], true[2:], strict=True))
    assert all(track.program == (program or 0) for track in tracks_of(parse_events(data)))


def test_overlapping_notes_of_a_pitch_follow_each_other() -> None:
    notes = [
        HeardNote(60, 1.0, 3.0),
        HeardNote(60, 2.0, 2.5),
        HeardNote(60, 2.0, 4.0),
        HeardNote(64, 1.0, 1.0),
    ]
    first, second, short = read(midi_bytes(notes))
    assert (first[2:], second[2:]) == ((1.0, 2.0), (2.0, 4.0))
    assert abs(short[3] - short[2] - MIN_NOTE_SECONDS) <= TICK  # the reader lengthens it, the file has a tick
    assert midi_bytes([])[:4] == b"MThd"
