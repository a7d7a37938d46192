"""A tiny note bank and MIDI files for the training tests: tones with overtones, in WAV files (OGG takes long to encode)."""

import json
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import soundfile

from index.sources.note_bank import SLOT_NOTES, SLOT_SECONDS

SAMPLE_RATE = 16_000
SLOT_SAMPLES = round(SLOT_SECONDS * SAMPLE_RATE)


def tone(pitch: float, seconds: float = 2.2, overtones: Sequence[float] = (1.0, 0.5)) -> np.ndarray:
    """A decaying tone, float32 [seconds * 16000]."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = 440 * 2 ** ((pitch - 69) / 12)
    waves = (level * np.sin(2 * np.pi * hz * (i + 1) * time) for i, level in enumerate(overtones))
    return (0.3 * np.exp(-0.5 * time) * sum(waves)).astype(np.float32)


def slots(overtones: Sequence[float] = (1.0, 0.5), silent: Sequence[int] = ()) -> list[np.ndarray]:
    """Return the eight slots of a bank's instrument, each float32 [48000]; the slots in `silent` are zero."""
    made = [np.zeros(SLOT_SAMPLES, np.float32) for _ in SLOT_NOTES]
    for number, (pitch, velocity) in enumerate(SLOT_NOTES):
        if number not in silent:
            samples = tone(pitch, overtones=overtones) * (velocity / 100)
            made[number][: len(samples)] = samples
    return made


def write_instrument(folder: Path, key: str, part: str, made: list[np.ndarray], **fields: object) -> None:
    """Add one instrument of eight slots to the bank in `folder` (audio and index row)."""
    path = folder / part / f"{key}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate(made), SAMPLE_RATE, subtype="PCM_16")
    row: dict[str, object] = {
        "id": key,
        "file": f"{part}/{key}.wav",
        "source": part,
        "bank": None,
        "name": key,
    }
    row |= {"gm_program": None, "family": None, "peaks": [float(np.abs(slot).max()) for slot in made]}
    append_row(folder, row | fields)


def append_row(folder: Path, row: dict[str, object]) -> None:
    with (folder / "index.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def write_midi(path: Path, tracks: Sequence[tuple[int, int, Sequence[tuple[int, float, float]]]]) -> None:
    """Write a MIDI file of (channel, program, notes (pitch, start, end in seconds)) at 480 ticks a beat, 120 beats a minute."""
    midi = mido.MidiFile(ticks_per_beat=480)
    for channel, program, notes in tracks:
        events = [(round(start * 960), 1, pitch) for pitch, start, _ in notes]
        events += [(round(end * 960), 0, pitch) for pitch, _, end in notes]
        lines = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program)])
        now = 0
        for tick, on, pitch in sorted(events):
            kind = "note_on" if on else "note_off"
            lines.append(mido.Message(kind, channel=channel, note=pitch, velocity=90 * on, time=tick - now))
            now = tick
        midi.tracks.append(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.save(path)
