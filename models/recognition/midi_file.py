"""Writes notes as a Standard MIDI File of format 0: one track of one instrument, in real time.

Standard MIDI Files 1.0 (MIDI Manufacturers Association, RP-001). At 120 beats a minute a tick is about a millisecond.
"""

import struct
from collections.abc import Sequence

from models.recognition.notes import HeardNote

TICKS_A_BEAT, MICROSECONDS_A_BEAT = 480, 500_000
TICKS_A_SECOND = TICKS_A_BEAT * 1_000_000 / MICROSECONDS_A_BEAT
SOFTEST, LOUDEST = 20, 127  # velocities; a note as strong as it can be is the loudest

_META, _TRACK_NAME, _TEMPO, _END = 0xFF, 0x03, 0x51, 0x2F
_NOTE_OFF, _NOTE_ON, _PROGRAM = 0x80, 0x90, 0xC0


def midi_bytes(notes: Sequence[HeardNote], name: str = "", program: int | None = None) -> bytes:
    """A file that plays `notes` at their seconds, on channel 1, with the General MIDI `program` (0…127), if any.

    Of notes of one pitch that overlap, the earlier ends where the later begins. Velocity follows a note's strength.
    """
    events = [(0, _track_name(name))] if name else []
    events.append((0, bytes([_META, _TEMPO, 3]) + MICROSECONDS_A_BEAT.to_bytes(3, "big")))
    if program is not None:
        events.append((0, bytes([_PROGRAM, program])))
    events += _note_events(notes)
    track, tick = bytearray(), 0
    for at, event in [*events, (max((at for at, _ in events), default=0), bytes([_META, _END, 0]))]:
        track += _variable(at - tick) + event
        tick = at
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, TICKS_A_BEAT)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def velocity_of(note: HeardNote) -> int:
    """The velocity of a note, by its strength."""
    return round(SOFTEST + (LOUDEST - SOFTEST) * min(1.0, max(0.0, note.strength)))


def _note_events(notes: Sequence[HeardNote]) -> list[tuple[int, bytes]]:
    """Ticks and messages of the beginnings and ends of notes, in order: at one tick, ends come first."""
    spans: dict[int, list[tuple[int, int, int]]] = {}  # by pitch: first tick, last tick, velocity
    for note in sorted(notes, key=lambda note: (note.start_seconds, note.end_seconds)):
        start = round(note.start_seconds * TICKS_A_SECOND)
        end = max(start + 1, round(note.end_seconds * TICKS_A_SECOND))
        earlier = spans.setdefault(note.pitch, [])
        if earlier and earlier[-1][0] == start:
            earlier.pop()
        elif earlier and earlier[-1][1] > start:
            earlier[-1] = (earlier[-1][0], start, earlier[-1][2])
        earlier.append((start, end, velocity_of(note)))
    events = []
    for pitch, rows in spans.items():
        for start, end, velocity in rows:
            events += [(start, 1, pitch, velocity), (end, 0, pitch, 0)]
    return [
        (tick, bytes([_NOTE_ON if begins else _NOTE_OFF, pitch, velocity]))
        for tick, begins, pitch, velocity in sorted(events)
    ]


def _track_name(name: str) -> bytes:
    content = name.encode()
    return bytes([_META, _TRACK_NAME]) + _variable(len(content)) + content


def _variable(number: int) -> bytes:
    """A number in groups of seven bits, the highest first, of which all but the last have the eighth bit set."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
