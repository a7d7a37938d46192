"""A folder of sampled notes (`index.jsonl` + OGG files) played as instruments: the nearest note, resampled.

Section 4 of Kim et al. 2022 renders MIDI from NSynth's note samples the same way; the folder's form is the
project's own (eight slots of three seconds in one file, or one file a recorded note).
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from index.families import family_of_name
from index.sources.base import Note
from models.errors import TrainingError

SLOT_SECONDS = 3.0
SLOT_NOTES = ((36, 100), (43, 100), (50, 100), (57, 100), (64, 100), (71, 100), (78, 100), (57, 50))
SOUNDING_PEAK = 0.003  # a slot whose peak lies below is out of the instrument's range
MAX_SHIFT = 3.5  # semitones a sample is resampled by, at most
VELOCITY_EXPONENT = 1.5  # amplitude follows (velocity / sampled velocity) to this power
VELOCITY_COST = 0.03  # semitones of shift that one step of velocity is worth in the choice of a slot
RELEASE_SECONDS = (0.06, 0.20)
CLICK_SAMPLES = 64  # fade at the very end of a sample
RECORDED_VELOCITY = {
    "pianissimo": 40,
    "pp": 40,
    "piano": 55,
    "p": 55,
    "mp": 68,
    "v2": 70,
    "64": 64,
    "mezzo-forte": 80,
}
RECORDED_VELOCITY |= {"mf": 80, "v3": 100, "forte": 100, "f": 100, "fortissimo": 118, "ff": 118, "127": 118}


@dataclass(frozen=True)
class Slot:
    """One sampled note: its MIDI pitch (fractional when measured), velocity and mono samples [n] float32."""

    pitch: float
    velocity: int
    samples: np.ndarray


@dataclass(frozen=True)
class Entry:
    """One instrument of the index: where its audio lies, what is known of it; `folder` is its bank's part."""

    id: str
    name: str
    family: str | None
    source: str
    folder: str
    bank: str | None
    gm_program: int | None
    files: tuple[Path, ...]
    notes: tuple[tuple[float, int], ...]  # (pitch, velocity) of each slot, or of each file
    peaks: tuple[float, ...] | None = None  # of each slot before it was coded, which smears silence a little

    @property
    def is_recorded(self) -> bool:
        """Whether every note is a file of its own."""
        return len(self.files) == len(self.notes)


class SampledInstrument:
    """An instrument made of slots. Not for use by several threads: resampled notes are cached."""

    def __init__(self, entry: Entry, slots: tuple[Slot, ...], sample_rate: int) -> None:
        if not slots:
            raise TrainingError(f"no note of {entry.id} sounds")
        self.id, self.name, self.family, self.source = entry.id, entry.name, entry.family, entry.source
        self.slots = slots
        self.sample_rate = sample_rate
        spread = zlib.crc32(entry.id.encode()) / 2**32  # an instrument always releases at the same speed
        self._release_seconds = RELEASE_SECONDS[0] + spread * (RELEASE_SECONDS[1] - RELEASE_SECONDS[0])
        self._pitches = np.array([slot.pitch for slot in slots])
        self._velocities = np.array([slot.velocity for slot in slots])
        self._resampled: dict[tuple[int, int, int], np.ndarray] = {}

    @property
    def low(self) -> int:
        """Lowest playable MIDI pitch."""
        return int(np.ceil(self._pitches.min() - MAX_SHIFT))

    @property
    def high(self) -> int:
        """Highest playable MIDI pitch."""
        return int(np.floor(self._pitches.max() + MAX_SHIFT))

    def _choose(self, note: Note) -> int:
        """The slot nearest in pitch; among near ones a nearer velocity counts a little."""
        distance = np.abs(self._pitches - note.pitch)
        cost = distance + VELOCITY_COST * np.abs(self._velocities - note.velocity) * (distance <= MAX_SHIFT)
        return int(cost.argmin())

    def _sample(self, slot: int, pitch: int, sample_rate: int) -> np.ndarray:
        """The slot's samples at `pitch`, made once (band-limited, so that nothing aliases upward)."""
        cents = round(100 * (pitch - self._pitches[slot]))
        key = (slot, cents, sample_rate)
        if key not in self._resampled:
            samples = self.slots[slot].samples
            if cents or sample_rate != self.sample_rate:
                speed = 2.0 ** (cents / 1200)
                samples = soxr.resample(samples, self.sample_rate * speed, sample_rate, "MQ")
            samples = samples.copy()
            fade = min(CLICK_SAMPLES, len(samples))
            samples[len(samples) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
            self._resampled[key] = samples
        return self._resampled[key]

    def play(self, notes: tuple[Note, ...], seconds: float, sample_rate: int) -> np.ndarray:
        """Mono float32 [seconds · sample_rate]; a note that ends before its sample is released."""
        out = np.zeros(round(seconds * sample_rate), np.float32)
        fade = np.linspace(1, 0, round(self._release_seconds * sample_rate), dtype=np.float32) ** 2
        for note in notes:
            slot = self._choose(note)
            samples = self._sample(slot, note.pitch, sample_rate)
            gain = np.float32((note.velocity / self._velocities[slot]) ** VELOCITY_EXPONENT)
            start = round(note.start_seconds * sample_rate)
            held = min(max(0, round((note.end_seconds - note.start_seconds) * sample_rate)), len(samples))
            held = max(0, min(held, len(out) - start))
            out[start : start + held] += gain * samples[:held]
            tail = min(len(fade), len(samples) - held, len(out) - start - held)
            if tail > 0:
                out[start + held : start + held + tail] += gain * samples[held : held + tail] * fade[:tail]
        return out


class NoteBank:
    """The instruments of one folder of notes, by id, decoded when asked for.

    Raises TrainingError when the folder has no readable index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "index.jsonl"
        try:
            rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
            self.entries: dict[str, Entry] = _entries(folder, rows)
        except (OSError, ValueError, KeyError) as error:
            raise TrainingError(f"{path} is no index of a note bank: {error}") from error

    def __len__(self) -> int:
        return len(self.entries)

    def load(self, instrument_id: str) -> SampledInstrument:
        """Decode one instrument. Raises TrainingError when it is unknown, damaged or silent."""
        if instrument_id not in self.entries:
            raise TrainingError(f"no instrument {instrument_id} in {self.folder}", value=instrument_id)
        entry = self.entries[instrument_id]
        decoded = [_decode(path) for path in entry.files]
        rates = sorted({sample_rate for _, sample_rate in decoded})
        if len(rates) != 1:
            raise TrainingError(f"{entry.id} mixes sample rates: {rates}", value=rates)
        sample_rate = rates[0]
        pieces = [samples for samples, _ in decoded]
        if not entry.is_recorded:
            slot_samples = round(SLOT_SECONDS * sample_rate)
            pieces = [pieces[0][i * slot_samples : (i + 1) * slot_samples] for i in range(len(entry.notes))]
        slots = tuple(
            Slot(pitch, velocity, samples)
            for (pitch, velocity), samples, peak in zip(
                entry.notes, pieces, entry.peaks or (1.0,) * len(pieces), strict=True
            )
            if peak >= SOUNDING_PEAK and _sounds(samples)
        )
        return SampledInstrument(entry, slots, sample_rate)


def _sounds(samples: np.ndarray) -> bool:
    return bool(len(samples) and np.isfinite(samples).all() and np.abs(samples).max() >= SOUNDING_PEAK)


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """Mono float32 samples [n] and their rate."""
    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingError(f"{path} cannot be decoded: {error}") from error
    return samples.mean(axis=1), sample_rate


def _entries(folder: Path, rows: list[dict]) -> dict[str, Entry]:
    grouped: dict[str, list[dict]] = {}
    for row in rows:
        grouped.setdefault(row["id"], []).append(row)
    return {key: _entry(folder, key, group) for key, group in sorted(grouped.items())}


def _entry(folder: Path, key: str, rows: list[dict]) -> Entry:
    first = rows[0]
    part = first["file"].split("/")[0]
    recorded = "midi_measured" in first
    notes: tuple[tuple[float, int], ...] = SLOT_NOTES
    if recorded:
        rows = sorted(rows, key=lambda row: row["file"])
        notes = tuple((row["midi_measured"], RECORDED_VELOCITY.get(row["dynamic"], 90)) for row in rows)
    bank = first.get("bank")
    name = first.get("name") or (key.replace("_", " ") if recorded else key)
    family = first.get("family")
    if family is None and (part == "zyn" or recorded):
        family = family_of_name(f"{bank or ''} {name}".replace("_", " "))
    return Entry(
        id=key,
        name=name,
        family=family,
        source=first["source"],
        folder=part,
        bank=None if bank is None else str(bank),
        gm_program=first.get("gm_program"),
        files=tuple(folder / row["file"] for row in rows),
        notes=notes,
        peaks=None if recorded else tuple(first["peaks"]),
    )
