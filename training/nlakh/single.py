"""Renders Nlakh-single: every instrument plays five-second excerpts of MIDI tracks of its family.

Section 4 of Kim et al. 2022, figure 3a. A clip depends on (seed, instrument, clip number) alone. `varied` phrases are ours:
composed phrases and single notes besides the excerpts, for more registers, tempi and one-shots.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from index.sources.base import Floats, PlayableInstrument, is_playable
from index.sources.playing import fit_range
from models.errors import TrainingError
from training.compose import compose, single_notes
from training.nlakh.dataset import Fault
from training.nlakh.instrument_selection import (
    InstrumentCollection,
    held_notes,
    instrument_faults,
    is_audible,
)
from training.nlakh.rendered import RenderedItem, Samples, Stem
from training.nlakh.spec import PlannedUnit, RenderPlan
from training.phrases import Phrase, PhraseBook
from training.real.recordings import Excerpted, is_excerpted

MUSICAL_LOW, MUSICAL_HIGH = 28, 96  # a preset answers every key; music uses these
OWN_FAMILY_PROBABILITY = 0.6  # of a varied phrase from MIDI; else any family's
MIDI_SHARE, COMPOSED_SHARE = 0.70, 0.15  # of varied phrases; the rest are single notes
OCTAVE_PROBABILITY = 0.3  # of moving a varied phrase an octave up or down before it is fitted
PEAK_DB = -3.0
LEVEL_RANGE_DB = 6.0  # a clip's peak lies up to this far below PEAK_DB
MAX_DRAWS = 50


def musical_range(instrument: PlayableInstrument) -> tuple[int, int]:
    """Lowest and highest MIDI pitch to use: the musical keys that the instrument has, else all it has."""
    low, high = instrument.playable_range
    kept = max(low, MUSICAL_LOW), min(high, MUSICAL_HIGH)
    return kept if kept[0] <= kept[1] else (low, high)


class SingleRenderer:
    """Renders units of Nlakh-single. `books` holds each split's phrases, None where they are composed.

    `faults` are those of the last unit's instruments, as far as they were played.
    """

    def __init__(
        self, plan: RenderPlan, collection: InstrumentCollection, books: dict[str, PhraseBook | None]
    ) -> None:
        self._plan, self._collection, self._books = plan, collection, books
        self.faults: set[Fault] = set()

    def render(self, unit: PlannedUnit) -> Iterator[RenderedItem]:
        """The clips of a unit, in order: row r of a split is clip `r mod clips` of instrument `r div clips`."""
        rows, clips = self._plan.of_split(unit.split), dict(self._plan.spec.counts)[unit.split]
        self.faults = set()
        last = unit.first + unit.count
        for place in range(unit.first // clips, -(-last // clips)):
            wanted, first = rows[place], place * clips
            instrument = self._collection.renderable(wanted.id)
            for row in range(max(first, unit.first), min(first + clips, last)):
                clip = row - first
                samples = self.clip(instrument, clip, self._books[unit.split])
                yield RenderedItem(clip + 1, (Stem(wanted.number, samples),))
            self.faults.update(instrument_faults(instrument))

    def clip(
        self, instrument: PlayableInstrument | Excerpted, number: int, book: PhraseBook | None
    ) -> Samples:
        """Clip `number` of an instrument, [clip_samples]: a phrase that it plays, or an excerpt of its recordings.

        Raises TrainingError for an instrument that stays silent, SourceError for recordings that do.
        """
        spec = self._plan.spec
        generator = np.random.default_rng([spec.seed, zlib.crc32(instrument.id.encode()), number])
        if is_excerpted(instrument):
            samples = instrument.excerpt(generator, spec.clip_seconds, spec.sample_rate)
        else:
            assert is_playable(instrument)
            samples = self._played(generator, instrument, book)
        level = 10 ** ((PEAK_DB - generator.uniform(0, LEVEL_RANGE_DB)) / 20)
        return np.round(samples * (32767 * level / np.abs(samples).max())).astype(np.int16)

    def _played(
        self, generator: np.random.Generator, instrument: PlayableInstrument, book: PhraseBook | None
    ) -> Floats:
        """A phrase that sounds, [clip_samples].

        Silent phrases are drawn again; an instrument that is silent in all of them, such as a pad that swells slowly, holds a
        note. Raises TrainingError when that is silent too.
        """
        spec = self._plan.spec
        drawn = (self._phrase(generator, instrument, book) for _ in range(MAX_DRAWS))
        held = ((note,) for note in held_notes(*instrument.playable_range, spec.clip_seconds))
        for notes in chain(drawn, held):
            samples = instrument.play(notes, spec.clip_seconds, spec.sample_rate)
            if is_audible(samples):
                return samples
        raise TrainingError(f"{instrument.id} stayed silent in {MAX_DRAWS} phrases", value=instrument.id)

    def _phrase(
        self, generator: np.random.Generator, instrument: PlayableInstrument, book: PhraseBook | None
    ) -> Phrase:
        low, high = musical_range(instrument)
        if self._plan.spec.phrases == "midi" and book is not None:
            return fit_range(book.excerpt(generator, instrument.family), low, high)
        kind = generator.random()
        if kind < MIDI_SHARE and book is not None:
            is_own = generator.random() < OWN_FAMILY_PROBABILITY or instrument.family == "drum"
            phrase = book.excerpt(generator, instrument.family if is_own else None)
        elif kind < MIDI_SHARE + COMPOSED_SHARE:
            phrase = compose(generator)
        else:
            return single_notes(generator, low, high)
        if instrument.family != "drum" and generator.random() < OCTAVE_PROBABILITY:
            octave = int(generator.choice([-12, 12]))
            phrase = tuple(replace(note, pitch=note.pitch + octave) for note in phrase)
        return fit_range(phrase, low, high)
