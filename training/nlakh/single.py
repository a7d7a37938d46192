"""Renders Nlakh-single: every instrument plays five-second excerpts of MIDI tracks of its family.

Section 4 of Kim et al. 2022, figure 3a. A clip depends on (seed, instrument, clip number) alone. `varied` phrases are ours:
composed phrases and single notes beside the excerpts, so that registers, tempi and one-shots are heard too.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from index.sources.base import PlayableInstrument
from index.sources.playing import fit_range
from models.errors import TrainingError
from training.compose import compose, single_notes
from training.nlakh.casting import Library
from training.nlakh.plan import Job, Plan
from training.nlakh.takes import Part, Samples, Take
from training.phrases import Phrase, PhraseBook

MUSICAL_LOW, MUSICAL_HIGH = 28, 96  # a preset answers every key; these are the ones that music uses
OWN_FAMILY_PROBABILITY = 0.6  # of a varied phrase from MIDI; else any family's
MIDI_SHARE, COMPOSED_SHARE = 0.70, 0.15  # of varied phrases; the rest are single notes
OCTAVE_PROBABILITY = 0.3  # of moving a varied phrase an octave up or down before it is fitted
PEAK_DB = -3.0
LEVEL_RANGE_DB = 6.0  # a clip's peak lies up to this far below PEAK_DB
SILENT_PEAK, SILENT_RMS = 1e-3, 1e-4
MAX_DRAWS = 50


def musical_range(instrument: PlayableInstrument) -> tuple[int, int]:
    """Lowest and highest MIDI pitch to be used, as far as the instrument has them."""
    low, high = instrument.playable_range
    kept = max(low, MUSICAL_LOW), min(high, MUSICAL_HIGH)
    return kept if kept[0] <= kept[1] else (low, high)


def is_heard(samples: NDArray[np.float32]) -> bool:
    """Whether `samples [n]` are finite and loud enough to be worth a clip."""
    peak = float(np.abs(samples).max(initial=0.0))
    return bool(
        np.isfinite(peak) and peak >= SILENT_PEAK and float(np.sqrt(np.mean(samples**2))) >= SILENT_RMS
    )


class SingleRenderer:
    """Renders units of Nlakh-single. `books` holds each split's phrases, None where they are composed."""

    def __init__(self, plan: Plan, library: Library, books: dict[str, PhraseBook | None]) -> None:
        self._plan, self._library, self._books = plan, library, books
        self._seconds = plan.request.clip_samples / plan.request.sample_rate

    def takes(self, job: Job) -> Iterator[Take]:
        """The clips of a unit, one after the other: row r of a split is clip `r mod clips` of instrument `r div clips`."""
        rows, clips = self._plan.of_split(job.split), dict(self._plan.request.counts)[job.split]
        opened: PlayableInstrument | None = None
        for row in range(job.first, job.first + job.count):
            wanted, clip = rows[row // clips], row % clips
            if opened is None or opened.id != wanted.id:
                opened = self._library.playable(wanted.id)
            yield Take(clip + 1, (Part(wanted.number, self.clip(opened, clip, self._books[job.split])),))

    def clip(self, instrument: PlayableInstrument, number: int, book: PhraseBook | None) -> Samples:
        """Clip `number` of an instrument, [clip_samples]; silent phrases are drawn again.

        Raises TrainingError when the instrument stays silent.
        """
        request = self._plan.request
        generator = np.random.default_rng([request.seed, zlib.crc32(instrument.id.encode()), number])
        for _ in range(MAX_DRAWS):
            notes = self._phrase(generator, instrument, book)
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
