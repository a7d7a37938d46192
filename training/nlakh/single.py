"""Renders Nlakh-single: every instrument plays five-second excerpts of MIDI tracks of its family.

Section 4 of Kim et al. 2022, figure 3a. A clip depends on (seed, instrument, clip number) alone. `varied` phrases are ours:
composed phrases and single notes beside the excerpts, so that registers, tempi and one-shots are heard too.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from index.sources.base import PlayableInstrument
from index.sources.playing import fit_range
from models.errors import TrainingError
from training.compose import compose, single_notes
from training.nlakh.casting import Fault, Library, held_notes, is_heard, parts_left_out
from training.nlakh.plan import Job, Plan
from training.nlakh.takes import Part, Samples, Take
from training.phrases import Phrase, PhraseBook

MUSICAL_LOW, MUSICAL_HIGH = 28, 96  # a preset answers every key; these are the ones that music uses
OWN_FAMILY_PROBABILITY = 0.6  # of a varied phrase from MIDI; else any family's
MIDI_SHARE, COMPOSED_SHARE = 0.70, 0.15  # of varied phrases; the rest are single notes
OCTAVE_PROBABILITY = 0.3  # of moving a varied phrase an octave up or down before it is fitted
PEAK_DB = -3.0
LEVEL_RANGE_DB = 6.0  # a clip's peak lies up to this far below PEAK_DB
MAX_DRAWS = 50


def musical_range(instrument: PlayableInstrument) -> tuple[int, int]:
    """Lowest and highest MIDI pitch to be used, as far as the instrument has them."""
    low, high = instrument.playable_range
    kept = max(low, MUSICAL_LOW), min(high, MUSICAL_HIGH)
    return kept if kept[0] <= kept[1] else (low, high)


class SingleRenderer:
    """Renders units of Nlakh-single. `books` holds each split's phrases, None where they are composed."""

    def __init__(self, plan: Plan, library: Library, books: dict[str, PhraseBook | None]) -> None:
        self._plan, self._library, self._books = plan, library, books
        self._seconds = plan.request.clip_samples / plan.request.sample_rate
        self.faults: set[Fault] = set()  # of the instruments of the last unit, as far as they were played

    def takes(self, job: Job) -> Iterator[Take]:
        """The clips of a unit, one after the other: row r of a split is clip `r mod clips` of instrument `r div clips`."""
        rows, clips = self._plan.of_split(job.split), dict(self._plan.request.counts)[job.split]
        self.faults = set()
        last = job.first + job.count
        for place in range(job.first // clips, -(-last // clips)):
            wanted, first = rows[place], place * clips
            instrument = self._library.playable(wanted.id)
            for row in range(max(first, job.first), min(first + clips, last)):
                clip = row - first
                samples = self.clip(instrument, clip, self._books[job.split])
                yield Take(clip + 1, (Part(wanted.number, samples),))
            self.faults.update(parts_left_out(instrument))

    def clip(self, instrument: PlayableInstrument, number: int, book: PhraseBook | None) -> Samples:
        """Clip `number` of an instrument, [clip_samples]; silent phrases are drawn again.

        What is silent in them all, such as a pad that swells slower than they go, holds a note. Raises TrainingError when
        that is silent too.
        """
        request = self._plan.request
        generator = np.random.default_rng([request.seed, zlib.crc32(instrument.id.encode()), number])
        drawn = (self._phrase(generator, instrument, book) for _ in range(MAX_DRAWS))
        held = ((note,) for note in held_notes(*instrument.playable_range, self._seconds))
        for notes in chain(drawn, held):
            samples = instrument.play(notes, self._seconds, request.sample_rate)
            if is_heard(samples):
                level = 10 ** ((PEAK_DB - generator.uniform(0, LEVEL_RANGE_DB)) / 20)
                return np.round(samples * (32767 * level / np.abs(samples).max())).astype(np.int16)
        raise TrainingError(f"{instrument.id} stayed silent in {MAX_DRAWS} phrases", value=instrument.id)

    def _phrase(
        self, generator: np.random.Generator, instrument: PlayableInstrument, book: PhraseBook | None
    ) -> Phrase:
        low, high = musical_range(instrument)
        if self._plan.request.phrases == "midi" and book is not None:
            return fit_range(book.excerpt(generator, instrument.family), low, high)
        kind = generator.random()
        if kind < MIDI_SHARE and book is not None:
            is_own = generator.random() < OWN_FAMILY_PROBABILITY or instrument.family == "drum"
            phrase = book.excerpt(generator, instrument.family if is_own else None)
        elif kind < MIDI_SHARE + COMPOSED_SHARE:
            phrase = compose(generator)
        else:
            return single_notes(generator, low, high)
        if generator.random() < OCTAVE_PROBABILITY:
            octave = int(generator.choice([-12, 12]))
            phrase = tuple(replace(note, pitch=note.pitch + octave) for note in phrase)
        return fit_range(phrase, low, high)
