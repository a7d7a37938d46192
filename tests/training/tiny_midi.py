"""Standard MIDI files written byte by byte, so that tests can contain events that no sequencer writes."""

import struct

from training.midi_notes import MidiTrack, tracks_of
from training.smf import parse_events

END = b"\0\xff\x2f\0"
NOTE = b"\0\x90\x3c\x40\x83\x60\x80\x3c\0"  # one beat of middle C
BEAT = 0.5  # seconds
DOWN, UP = b"\xb0\x40\x7f", b"\xb0\x40\0"
PRESS, LET_GO = b"\x90\x3c\x40", b"\x80\x3c\0"
AT_ONCE, A_BEAT = b"\0", b"\x83\x60"


def chunk(events: bytes, name: bytes = b"MTrk") -> bytes:
    return name + struct.pack(">I", len(events)) + events


def file_of(*tracks: bytes, division: int = 480, form: int = 1) -> bytes:
    head = b"MThd" + struct.pack(">IHHH", 6, form, len(tracks), division)
    return head + b"".join(chunk(track) for track in tracks)


def tracks_in(data: bytes) -> list[MidiTrack]:
    return tracks_of(parse_events(data))


def times_in(data: bytes) -> list[tuple[float, float]]:
    """Return start and end of the notes of all tracks, in beats of half a second."""
    tracks = tracks_in(data)
    return [(float(row[2]) / BEAT, float(row[3]) / BEAT) for track in tracks for row in track.notes]
