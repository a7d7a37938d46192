"""Reads Standard MIDI Files into arrays: the notes, sustain pedals and programs of every channel, and the tempo map.

Follows the Standard MIDI Files 1.0 specification (MIDI Manufacturers Association, RP-001). Every loop is bounded, since
trees like Lakh (Raffel 2016) contain all kinds of damaged files.
"""

import os
import stat
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x8, 0x9, 0xB, 0xC  # the upper half of a status byte
CHANNEL_PRESSURE, SYSTEM = 0xD, 0xF
SUSTAIN_PEDAL = 64  # the controller
META, END_OF_TRACK, SET_TEMPO, PORT = 0xFF, 0x2F, 0x51, 0x21
SYSTEM_EXCLUSIVE = (0xF0, 0xF7)
DEFAULT_TEMPO = 500_000  # microseconds a quarter note
FRAMES_A_SECOND = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}  # of SMPTE time code
MAX_FILE_BYTES = 32 << 20
MAX_EVENTS = 4_000_000  # on- and offsets, pedals, programs and tempos: two million notes


class MidiDamaged(TrainingError):
    """Raised for a MIDI file that cannot be used; `reason` is "kind: detail", and data sets store it as a fault."""

    def __init__(self, reason: str, *, value: object = None, limit: object = None) -> None:
        super().__init__(reason, value=value, limit=limit)
        self.reason = reason


@dataclass(frozen=True)
class MidiEvents:
    """Events of a file, one row each, in the order of the file: chunk by chunk, and by time inside a chunk.

    `chunk` is the number of the track chunk, `tick` the time, `channel` 16 · port + MIDI channel, `kind` one of NOTE_OFF,
    NOTE_ON (possibly of velocity 0), CONTROL (the sustain pedal only) and PROGRAM; `data1` and `data2` are 0…127.
    `tempo_*` [segments] are the first tick and second of each tempo, and the seconds that a tick lasts.
    """

    chunk: NDArray[np.int64]
    tick: NDArray[np.int64]
    channel: NDArray[np.int64]
    kind: NDArray[np.int64]
    data1: NDArray[np.int64]
    data2: NDArray[np.int64]
    tempo_tick: NDArray[np.int64]
    tempo_second: NDArray[np.float64]
    tempo_seconds_a_tick: NDArray[np.float64]

    def seconds(self, tick: NDArray[np.int64]) -> NDArray[np.float64]:
        """The times of ticks in seconds from the beginning, of the same shape."""
        segment = np.searchsorted(self.tempo_tick, tick, side="right") - 1
        elapsed = (tick - self.tempo_tick[segment]) * self.tempo_seconds_a_tick[segment]
        return np.asarray(self.tempo_second[segment] + elapsed)


def parse_events(data: bytes) -> MidiEvents:
    """The events of a whole file's bytes. Raises MidiDamaged."""
    num_chunks, division, position = _header(data)
    ticks, words, tempos = array("q"), array("i"), list[tuple[int, int]]()
    events_of_chunk: list[int] = []
    while len(events_of_chunk) < num_chunks:
        if position + 8 > len(data):
            raise MidiDamaged(f"truncated: {len(events_of_chunk)} of {num_chunks} tracks")
        name, size = struct.unpack_from(">4sI", data, position)
        chunk, position = data[position + 8 : position + 8 + size], position + 8 + size
        if name != b"MTrk":
            continue  # the specification allows other chunks in between
        before, number = len(ticks), len(events_of_chunk) + 1
        ended = _read_chunk(chunk, number, ticks, words, tempos)
        if len(chunk) < size and not ended:
            raise MidiDamaged(f"truncated: track {number} has {len(chunk)} of {size} bytes")
        if (kept := len(ticks) + len(tempos)) > MAX_EVENTS:
            limit = f"at most {MAX_EVENTS:,}"
            raise MidiDamaged(f"too many events: {kept:,} or more, {limit}", value=kept, limit=MAX_EVENTS)
        events_of_chunk.append(len(ticks) - before)
    word = np.array(words, dtype=np.int64)
    return MidiEvents(
        np.repeat(np.arange(len(events_of_chunk)), events_of_chunk),
        np.array(ticks, dtype=np.int64),
        (word >> 24) * 16 + (word >> 16 & 0xF),
        word >> 20 & 0xF,
        word >> 8 & 0xFF,
        word & 0xFF,
        *_clock(division, tempos),
    )


def read_bytes(path: Path) -> bytes:
    """The bytes of a MIDI file. Raises MidiDamaged when it cannot be read or is larger than MAX_FILE_BYTES."""
    try:
        # Without O_NONBLOCK, opening a pipe called x.mid would wait for a writer forever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise MidiDamaged("unreadable: not a regular file")
            if status.st_size > MAX_FILE_BYTES:
                raise MidiDamaged(
                    f"too large: {status.st_size / 2**20:.0f} MiB, at most {MAX_FILE_BYTES >> 20}",
                    value=status.st_size,
                    limit=MAX_FILE_BYTES,
                )
            return file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise MidiDamaged(f"unreadable: {getattr(error, 'strerror', None) or error}") from error


def _header(data: bytes) -> tuple[int, int, int]:
    """The number of track chunks, the division, and the offset of the first chunk."""
    if len(data) < 14 or data[:4] != b"MThd":
        raise MidiDamaged("no header: it does not begin as a MIDI file")
    size, form, num_chunks, division = struct.unpack_from(">IHHH", data, 4)
    if size < 6 or form > 2:
        raise MidiDamaged(f"broken header: {size} bytes, format {form}")
    if form == 2:
        raise MidiDamaged("format 2: its tracks are pieces of their own, which do not sound together")
    return num_chunks, division, 8 + size


def _read_chunk(
    chunk: bytes, number: int, ticks: "array[int]", words: "array[int]", tempos: list[tuple[int, int]]
) -> bool:
    """Append a track's events: ticks, and words of port, status and two data bytes. True when its end is marked."""
    position = tick = status = kind = port = 0
    try:
        while position < len(chunk):
            byte = chunk[position]
            position += 1
            if byte < 0x80:
                tick += byte
            else:
                delta, position = _variable(chunk, position - 1)
                tick += delta
            byte = chunk[position]
            if byte >= 0xF0:  # running status continues after these in many files, against the specification
                event, begin, position = _system_event(chunk, position)
                if event == END_OF_TRACK:
                    return True
                if event == SET_TEMPO:
                    tempos.append((tick, int.from_bytes(chunk[begin:position], "big")))
                elif event == PORT and position > begin:
                    port = chunk[begin] & 0x7F
                continue
            if byte >= 0x80:
                status, kind = byte, byte >> 4
                position += 1
            elif not status:
                raise MidiDamaged(f"broken track: track {number} has data before any status")
            first, second = chunk[position], 0
            position += 1
            if kind != PROGRAM and kind != CHANNEL_PRESSURE:
                second = chunk[position]
                position += 1
            if first > 0x7F or second > 0x7F:
                raise MidiDamaged(f"out of range: {max(first, second)} in track {number}, at most 127")
            if kind <= NOTE_ON or kind == PROGRAM or (kind == CONTROL and first == SUSTAIN_PEDAL):
                ticks.append(tick)
                words.append(port << 24 | status << 16 | first << 8 | second)
    except IndexError:
        raise MidiDamaged(f"truncated: track {number} ends in the middle of an event") from None
    return False


def _variable(chunk: bytes, position: int) -> tuple[int, int]:
    """A variable-length number (one to four bytes of seven bits), and the offset of its end."""
    value = 0
    for place in range(position, position + 4):
        byte = chunk[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    raise MidiDamaged("broken track: a number of more than four bytes")


def _system_event(chunk: bytes, position: int) -> tuple[int, int, int]:
    """The type of a meta event (0 for other events), and the offsets of its data."""
    status, event = chunk[position], 0
    position += 1
    if status == META:
        event = chunk[position]
        position += 1
    elif status not in SYSTEM_EXCLUSIVE:
        raise MidiDamaged(f"broken track: status {status:#04x} has no place in a file")
    size, begin = _variable(chunk, position)
    if begin + size > len(chunk):
        raise IndexError
    return event, begin, begin + size


def _clock(
    division: int, tempos: list[tuple[int, int]]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The tempo map: first tick, first second and seconds a tick of each tempo."""
    if division & 0x8000:
        frames, ticks_a_frame = 256 - (division >> 8), division & 0xFF
        if frames not in FRAMES_A_SECOND or not ticks_a_frame:
            raise MidiDamaged(f"broken header: {frames} frames a second of {ticks_a_frame} ticks")
        rate = 1 / (FRAMES_A_SECOND[frames] * ticks_a_frame)
        return np.zeros(1, np.int64), np.zeros(1), np.full(1, rate)
    if not division:
        raise MidiDamaged("broken header: 0 ticks a beat")
    # Of several tempos at one tick the last one counts: the sort is stable, and the dictionary keeps the last value.
    tempo_at = {0: DEFAULT_TEMPO} | dict(sorted(tempos, key=lambda tempo: tempo[0]))
    if 0 in tempo_at.values():
        raise MidiDamaged("tempo 0: all that follows would sound at once")
    tick = np.array(list(tempo_at), dtype=np.int64)
    rates = np.array(list(tempo_at.values())) / (1e6 * division)
    second = np.concatenate([[0.0], np.cumsum(np.diff(tick) * rates[:-1])])
    return tick, second, rates
