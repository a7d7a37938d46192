"""Arranges a production: a section of a MIDI file in which drums and other tracks play, and who plays each of its tracks."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.sources.base import PlayableInstrument, SourceInstrument
from models.errors import TrainingError
from training.midi import DRUM, MidiCollection, family_of_track
from training.nlakh.dataset import DatasetInstrument
from training.nlakh.instrument_selection import InstrumentCollection
from training.nlakh.multi import InstrumentPool
from training.nlakh.spec import MAX_PARTS, MIN_PARTS, PlannedUnit, RenderPlan
from training.phrases import MIN_NOTES, UNHEARD_SECONDS, Phrase, cut
from training.productions.roles import Role, role_of
from training.real.recordings import Excerpted
from training.sections import HOP_SECONDS, SectionTrack

MIN_BEATS = 8  # drum notes in a section
MIN_TRACKS = MIN_PARTS - 1  # beside the drums
VOICE_PROBABILITY = 0.4
MAX_KITS, MAX_VOICES = 8, 12  # of a block of productions


class ProductionBook:
    """Sections of `seconds` in which at least eight drum notes are struck and three other tracks play three notes each."""

    def __init__(self, midi: MidiCollection, seconds: float) -> None:
        self._midi, self._seconds = midi, seconds
        first_of_file = np.searchsorted(midi.file_of_track, np.arange(len(midi.files) + 1))
        tracks = zip(first_of_file[:-1].tolist(), first_of_file[1:].tolist(), strict=True)
        self._files = [(first, until) for first, until in tracks if self._is_candidate(first, until)]
        self._starts: dict[tuple[int, int], NDArray[np.intp]] = {}

    def has_section(self) -> bool:
        return any(len(self._starts_in(tracks)) for tracks in self._files)

    def section(self, generator: np.random.Generator) -> tuple[SectionTrack, ...]:
        """A section of a random file: its drum tracks as one, first, then the other tracks, in the order of the file.

        Raises TrainingError when there is none.
        """
        for place in generator.permutation(len(self._files)):
            tracks = self._files[place]
            starts = self._starts_in(tracks)
            if len(starts):
                return self._at(tracks, float(generator.choice(starts)) * HOP_SECONDS)
        raise TrainingError("this part of the MIDI files holds no section of drums and three other tracks")

    def _is_candidate(self, first: int, until: int) -> bool:
        drums = self._midi.is_drum[first:until]
        return bool(drums.any() and (~drums).sum() >= MIN_TRACKS)

    def _starts_in(self, tracks: tuple[int, int]) -> NDArray[np.intp]:
        """The sections of a file, as steps of the hop; found on first use."""
        if tracks not in self._starts:
            onsets = self._onsets(*tracks)  # [tracks, steps]
            drums = self._midi.is_drum[slice(*tracks)]
            enough = (onsets[drums].sum(axis=0) >= MIN_BEATS) & (
                (onsets[~drums] >= MIN_NOTES).sum(axis=0) >= MIN_TRACKS
            )
            self._starts[tracks] = np.flatnonzero(enough)
        return self._starts[tracks]

    def _onsets(self, first: int, until: int) -> NDArray[np.intp]:
        """The number of notes that begin in the section at each step, early enough to be heard: `[tracks, steps]`."""
        starts = [self._midi.notes[slice(*self._midi.spans[track]), 2] for track in range(first, until)]
        last = max(float(onsets[-1]) for onsets in starts)
        begins = np.arange(int(last / HOP_SECONDS) + 1) * HOP_SECONDS
        ends = begins + self._seconds - UNHEARD_SECONDS
        return np.stack([np.searchsorted(row, ends) - np.searchsorted(row, begins) for row in starts])

    def _at(self, tracks: tuple[int, int], start: float) -> tuple[SectionTrack, ...]:
        midi, beats, others = self._midi, list[Phrase](), list[SectionTrack]()
        for track in range(*tracks):
            rows = midi.notes[slice(*midi.spans[track])]
            onsets = np.diff(np.searchsorted(rows[:, 2], [start, start + self._seconds - UNHEARD_SECONDS]))
            notes = cut(rows, start, self._seconds)
            if midi.is_drum[track]:
                beats.append(notes)
            elif onsets[0] >= MIN_NOTES:
                others.append(SectionTrack(family_of_track(int(midi.programs[track]), False), False, notes))
        whole = sorted((note for notes in beats for note in notes), key=lambda note: note.start_seconds)
        return SectionTrack(DRUM, True, tuple(whole)), *others


@dataclass(frozen=True)
class Part:
    """One played part of a production: the number of its instrument, and the notes that it plays."""

    number: int
    instrument: PlayableInstrument
    track: SectionTrack


@dataclass(frozen=True)
class VoicePart:
    """A voice in a production, of which an excerpt is heard."""

    number: int
    instrument: Excerpted


def check_players(plan: RenderPlan, collection: InstrumentCollection, split: str) -> None:
    """Raises TrainingError when the instruments of a split cannot play four parts with drums."""
    roles = Counter(role_of(collection.load(row.id)) for row in plan.of_split(split))
    if not roles["drums"]:
        raise TrainingError(f"the instruments of {split} hold no drum kit: give more", value=split, limit=1)
    if roles["track"] < MIN_TRACKS:
        message = (
            f"{roles['track']} instruments of {split} play other tracks than drums, {MIN_TRACKS} are needed"
        )
        raise TrainingError(message, value=roles["track"], limit=MIN_TRACKS)


class Cast:
    """The instruments of one block of productions: a pool for the tracks, some drum kits and some voices.

    The choice depends on (seed, split, block), so that all instruments take part in turn.
    """

    def __init__(self, plan: RenderPlan, collection: InstrumentCollection, unit: PlannedUnit) -> None:
        self._most = min(plan.spec.max_instruments, MAX_PARTS)
        rows: dict[Role | None, list[DatasetInstrument]] = defaultdict(list)
        for row in plan.of_split(unit.split):
            rows[role_of(collection.load(row.id))].append(row)
        pool_plan = replace(plan, instruments=tuple(rows["track"]))
        self._pool = InstrumentPool(pool_plan, collection, unit.split, unit.number)
        rng = np.random.default_rng([plan.spec.seed, zlib.crc32(unit.split.encode()), unit.number])
        kits, voices = _some(rng, rows["drums"], MAX_KITS), _some(rng, rows["voice"], MAX_VOICES)
        self._kits = [(row.number, collection.playable(row.id)) for row in kits]
        self._voices = [(row.number, collection.recorded(row.id)) for row in voices]

    def opened(self) -> Iterable[SourceInstrument]:
        """The instruments that may have played."""
        yield from self._pool.opened()
        for _, instrument in (*self._kits, *self._voices):
            yield instrument

    def arrange(
        self, rng: np.random.Generator, section: tuple[SectionTrack, ...]
    ) -> tuple[Part | VoicePart, ...]:
        """Give a section four to eight parts: drums, often a voice, and some of its tracks, each another instrument.

        There are fewer where the section has too few tracks that the instruments can play.
        """
        drums, *tracks = section
        number = int(rng.integers(MIN_PARTS, self._most + 1))
        parts: list[Part | VoicePart] = [Part(*self._kits[int(rng.integers(len(self._kits)))], drums)]
        if rng.random() < VOICE_PROBABILITY and self._voices:
            parts.append(VoicePart(*self._voices[int(rng.integers(len(self._voices)))]))
        assigned = self._pool.assign(rng, tuple(tracks))
        return tuple([*parts, *(Part(*row) for row in assigned)][:number])


def _some(rng: np.random.Generator, rows: Sequence[DatasetInstrument], most: int) -> list[DatasetInstrument]:
    return [rows[place] for place in sorted(rng.permutation(len(rows))[:most])]
