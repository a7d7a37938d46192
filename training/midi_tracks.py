"""Standard MIDI files read as separate tracks of notes in seconds, one per track, channel and program.

Section 4 of Kim et al. 2022: MIDI tracks are separated and categorised by program number; drums are left out.
"""

import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

DRUM_CHANNEL = 9
DEFAULT_TEMPO = 500_000  # microseconds a quarter note
MIN_NOTE_SECONDS = 0.05  # staccato of a tick or two still speaks
MAX_NOTE_SECONDS = 30.0  # a note never switched off would otherwise sound to the end of the piece
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    mido.KeySignatureError,
)


@dataclass(frozen=True)
class MidiTrack:
    """One instrument's `notes` float32 [notes, 4]: pitch, velocity, start and end in seconds, by start."""

    program: int
    notes: np.ndarray


def _tempo_map(midi: mido.MidiFile) -> tuple[np.ndarray, np.ndarray]:
    """Ticks at which the tempo changes and the seconds passed until each (two ascending vectors)."""
    changes = {0: DEFAULT_TEMPO}
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                changes[tick] = message.tempo
    ticks = sorted(changes)
    last = ticks[-1] + 10_000_000  # extends the last tempo past the end of any piece
    seconds = [0.0]
    for here, after in zip(ticks, [*ticks[1:], last], strict=True):
        seconds.append(seconds[-1] + (after - here) * changes[here] / 1e6 / midi.ticks_per_beat)
    return np.array([*ticks, last], dtype=np.float64), np.array(seconds)


def _notes_in_ticks(midi: mido.MidiFile) -> dict[tuple[int, int, int], list[tuple[int, int, int, int]]]:
    """Notes (pitch, velocity, start tick, end tick) by (track, channel, program)."""
    found: dict[tuple[int, int, int], list[tuple[int, int, int, int]]] = defaultdict(list)
    program_of_channel = [0] * 16
    for number, track in enumerate(midi.tracks):
        sounding: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "program_change":
                program_of_channel[message.channel] = message.program
            elif message.type in ("note_on", "note_off") and message.channel != DRUM_CHANNEL:
                key = (message.channel, message.note)
                if message.type == "note_on" and message.velocity > 0:
                    sounding[key].append((tick, message.velocity, program_of_channel[message.channel]))
                elif sounding[key]:
                    start, velocity, program = sounding[key].pop(0)
                    found[number, message.channel, program].append((message.note, velocity, start, tick))
    return found


def read_tracks(path: Path) -> list[MidiTrack]:
    """Tracks of a MIDI file without its drums; any of `DAMAGE` is raised when the file is damaged."""
    midi = mido.MidiFile(path, clip=True)
    if midi.ticks_per_beat <= 0:
        raise ValueError(f"{path.name} counts {midi.ticks_per_beat} ticks a beat")
    tempo_ticks, tempo_seconds = _tempo_map(midi)
    tracks = []
    for (_, _, program), rows in sorted(_notes_in_ticks(midi).items()):
        table = np.array(rows, dtype=np.float64)  # [notes, 4]
        table[:, 2:] = np.interp(table[:, 2:], tempo_ticks, tempo_seconds)
        table[:, 3] = np.clip(table[:, 3], table[:, 2] + MIN_NOTE_SECONDS, table[:, 2] + MAX_NOTE_SECONDS)
        order = np.lexsort((table[:, 0], table[:, 2]))
        tracks.append(MidiTrack(program, table[order].astype(np.float32)))
    return tracks
