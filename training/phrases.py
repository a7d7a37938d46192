"""Five-second phrases for one instrument: random excerpts of MIDI tracks, brought into its range.

Section 4 of Kim et al. 2022: random five-second excerpts of MIDI tracks with at least three notes, of the
instrument's family where that is known; the other phrases (`training/compose.py`) are ours.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from index.families import family_of_program
from index.sources.base import Note
from models.errors import TrainingError
from training.midi_tracks import DAMAGE, MidiTrack, read_tracks

Phrase = tuple[Note, ...]

PHRASE_SECONDS = 5.0
MIN_NOTES = 3
MIN_NOTE_SECONDS = 0.04  # what the edge leaves of a note is dropped below this
OWN_FAMILY_PROBABILITY = 0.6
HELD_SHARE = 10  # one MIDI file in ten is held out of training
LOOK_BACK_NOTES = 64  # how far before a window a note that still sounds is looked for
CACHE_FORMAT = 1


def cut(notes: Sequence[Note], start_seconds: float, seconds: float = PHRASE_SECONDS) -> Phrase:
    """What sounds in the window, in the window's time: notes that cross an edge are kept and cut there."""
    kept = []
    for note in notes:
        start = max(0.0, note.start_seconds - start_seconds)
        end = min(seconds, note.end_seconds - start_seconds)
        if end - start >= MIN_NOTE_SECONDS:
            kept.append(replace(note, start_seconds=start, end_seconds=end))
    return tuple(kept)


def fit_range(phrase: Phrase, low: int, high: int) -> Phrase:
    """Transpose by octaves into `low`…`high` (MIDI, inclusive), the nearest way; strays move on their own."""
    if low > high:
        raise TrainingError(f"no pitch lies between {low} and {high}", value=(low, high))
    if not phrase:
        return phrase
    pitches = np.array([note.pitch for note in phrase])
    shifts = np.arange(-120, 121, 12)
    moved = pitches[None, :] + shifts[:, None]  # [shifts, notes]
    outside = (np.maximum(low - moved, 0) + np.maximum(moved - high, 0)).sum(axis=1)
    shift = int(shifts[np.lexsort((np.abs(shifts), outside))[0]])
    return tuple(replace(note, pitch=_fold(note.pitch + shift, low, high)) for note in phrase)


def _fold(pitch: int, low: int, high: int) -> int:
    """The nearest octave of `pitch` inside the range, or the range's nearest edge when there is none."""
    folded = pitch
    if pitch < low:
        folded = pitch + 12 * -((pitch - low) // 12)
    elif pitch > high:
        folded = pitch - 12 * -((high - pitch) // 12)
    return folded if low <= folded <= high else int(np.clip(pitch, low, high))


def is_held(file_name: str) -> bool:
    """Whether a MIDI file is kept for evaluation: a stable hash of its name decides."""
    return hashlib.sha256(file_name.encode()).digest()[0] % HELD_SHARE == 0


def _read_or_none(path: Path) -> list[MidiTrack] | None:
    try:
        return read_tracks(path)
    except DAMAGE:
        return None


@dataclass(frozen=True)
class PhraseBook:
    """Tracks of many MIDI files and the places in them where a phrase may begin.

    notes [notes, 4] float32 (pitch, velocity, start, end in seconds); track t owns rows
    `offsets[t]:offsets[t + 1]`; `programs` and `held` are per track; `fingerprint` names the set of files.
    """

    notes: np.ndarray
    offsets: np.ndarray
    programs: np.ndarray
    held: np.ndarray
    fingerprint: str
    num_files: int
    num_damaged: int
    _anchors: dict[int, np.ndarray] = field(init=False, repr=False)
    _tracks_of_family: dict[str | None, list[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        anchors: dict[int, np.ndarray] = {}
        families: dict[str | None, list[int]] = {None: []}
        for track in range(len(self.programs)):
            starts = self.notes[self.offsets[track] : self.offsets[track + 1], 2]
            until = np.searchsorted(starts, starts + PHRASE_SECONDS - 2 * MIN_NOTE_SECONDS)
            places = np.flatnonzero(until - np.arange(len(starts)) >= MIN_NOTES)
            if len(places):
                anchors[track] = places
                families[None].append(track)
                families.setdefault(family_of_program(int(self.programs[track])) or "other", []).append(track)
        object.__setattr__(self, "_anchors", anchors)
        object.__setattr__(self, "_tracks_of_family", families)

    @property
    def num_tracks(self) -> int:
        """Tracks in which at least one phrase can begin."""
        return len(self._anchors)

    @classmethod
    def from_midi(cls, folder: Path, *, workers: int = 1, cache: Path | None = None) -> "PhraseBook":
        """Every .mid of a folder, damaged ones counted and skipped; `cache` (npz) spares parsing again.

        Raises TrainingError when no file holds a phrase.
        """
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
        stamp = hashlib.sha256(
            repr([CACHE_FORMAT, *((p.name, p.stat().st_size) for p in files)]).encode()
        ).hexdigest()
        if cache is not None and cache.is_file():
            with np.load(cache) as stored:
                if str(stored["fingerprint"]) == stamp:
                    return cls._from_arrays(dict(stored))
        if workers > 1 and len(files) > 8:
            with get_context("spawn").Pool(workers) as pool:
                parsed = pool.map(_read_or_none, files, chunksize=8)
        else:
            parsed = [_read_or_none(path) for path in files]
        book = cls._from_arrays(_pack(files, parsed, stamp))
        if not book.num_tracks:
            raise TrainingError(
                f"no MIDI track with {MIN_NOTES} notes in {PHRASE_SECONDS:g} s under {folder}"
            )
        if cache is not None:
            book.save(cache)
        return book

    @classmethod
    def _from_arrays(cls, arrays: dict[str, np.ndarray]) -> "PhraseBook":
        return cls(
            notes=arrays["notes"],
            offsets=arrays["offsets"],
            programs=arrays["programs"],
            held=arrays["held"],
            fingerprint=str(arrays["fingerprint"]),
            num_files=int(arrays["num_files"]),
            num_damaged=int(arrays["num_damaged"]),
        )

    def save(self, path: Path) -> None:
        """Write the compact npz that `from_midi(cache=…)` reads, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("wb") as file:
            np.savez(
                file,
                notes=self.notes,
                offsets=self.offsets,
                programs=self.programs,
                held=self.held,
                fingerprint=self.fingerprint,
                num_files=self.num_files,
                num_damaged=self.num_damaged,
            )
        temporary.replace(path)

    def part(self, *, held: bool) -> "PhraseBook":
        """Only the tracks of held-out files, or only those of the others."""
        chosen = np.flatnonzero(self.held == held)
        spans = [self.notes[self.offsets[track] : self.offsets[track + 1]] for track in chosen]
        return replace(
            self,
            notes=np.concatenate(spans) if spans else self.notes[:0],
            offsets=np.cumsum([0, *(len(span) for span in spans)]),
            programs=self.programs[chosen],
            held=self.held[chosen],
        )

    def excerpt(self, generator: np.random.Generator, family: str | None = None) -> Phrase:
        """A random phrase of at least three notes; of the instrument's family with some probability.

        Raises TrainingError when the book has no phrase.
        """
        tracks = self._tracks_of_family[None]
        if not tracks:
            raise TrainingError("this part of the MIDI files holds no phrase")
        if (
            family is not None
            and family in self._tracks_of_family
            and generator.random() < OWN_FAMILY_PROBABILITY
        ):
            tracks = self._tracks_of_family[family]
        track = tracks[int(generator.integers(len(tracks)))]
        places = self._anchors[track]
        place = int(places[generator.integers(len(places))])
        first = int(self.offsets[track])
        begin = float(self.notes[first + place, 2])
        lead_in = generator.uniform(0.0, 1.0)
        rows = self.notes[max(first, first + place - LOOK_BACK_NOTES) : self.offsets[track + 1]]
        for start in (max(0.0, begin - lead_in), begin):
            until = int(np.searchsorted(rows[:, 2], start + PHRASE_SECONDS))
            notes = [
                Note(int(row[0]), int(row[1]), float(row[2]), float(row[3]))
                for row in rows[:until]
                if row[3] > start
            ]
            phrase = cut(notes, start)
            if len(phrase) >= MIN_NOTES:
                return phrase
        return phrase


def _pack(files: list[Path], parsed: Sequence[list[MidiTrack] | None], stamp: str) -> dict[str, np.ndarray]:
    """The arrays of a book from what was read of each file (None = damaged)."""
    tracks = [
        (track, is_held(path.name))
        for path, found in zip(files, parsed, strict=True)
        for track in found or ()
    ]
    spans = [track.notes for track, _ in tracks]
    return {
        "notes": np.concatenate(spans) if spans else np.zeros((0, 4), np.float32),
        "offsets": np.cumsum([0, *(len(span) for span in spans)]),
        "programs": np.array([track.program for track, _ in tracks], dtype=np.int16),
        "held": np.array([held for _, held in tracks], dtype=bool),
        "fingerprint": np.array(stamp),
        "num_files": np.array(len(files)),
        "num_damaged": np.array(sum(found is None for found in parsed)),
    }
