"""Queries of fifteen seconds from a folder of real recordings: solos, mixtures of solos, beats, voices, and phrases.

Kim et al. 2022, section 6 asks for real music. A query depends on its instrument, the seed and the sample rate alone, so
that more recordings leave the others as they were; recordings of less than fifteen seconds are repeated.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from index.sources.base import PlayableInstrument, SourceInstrument, is_playable, is_silent
from index.sources.beats import compose_beat
from index.sources.playing import fit_range
from models.errors import SourceError
from training.compose import compose
from training.evaluation.metrics import Floats
from training.mixing import active_rms
from training.nlakh.single import musical_range
from training.phrases import PHRASE_SECONDS
from training.real.recordings import is_excerpted
from training.real.source import Part, RealSource

SECONDS = 15.0
GAIN_DB = 3.0  # of each solo in a mixture, at equal active loudness
PEAK = 0.9  # of a mixture, full scale 1
TAKES = 8  # beats of a kit, phrases of an instrument
MAX_DRAWS = 20  # of a phrase that sounds


@dataclass(frozen=True)
class RealQuery:
    """`wave [samples]`, the family of each instrument that plays, and `unit`: the instrument's id, or the mixture's name.

    Queries of one unit are resampled together, since they resemble each other.
    """

    wave: Floats
    families: tuple[str, ...]
    unit: str


class RealQueries:
    """All queries of one side of a folder. Instruments without a family are left out."""

    def __init__(self, source: RealSource, part: Part, sample_rate: int, seed: int) -> None:
        self._source, self._part = source, part
        self._sample_rate, self._seed = sample_rate, seed

    def solos(self) -> list[RealQuery]:
        """One query a solo. Raises SourceError if one is unusable."""
        return list(self._excerpts(self._source.originals(self._part, "solo")))

    def voices(self) -> list[RealQuery]:
        """One query a voice, choir or kind of vocal sound. Raises SourceError if one is unusable."""
        return list(self._excerpts(self._source.originals(self._part, "voice")))

    def stems(self) -> list[RealQuery]:
        """One query a stem of one instrument. Raises SourceError if one is unusable."""
        return list(self._excerpts(self._source.originals(self._part, "stem")))

    def drum_loops(self) -> list[RealQuery]:
        """One query a loop. Raises SourceError if one is unusable."""
        return list(self._excerpts(self._source.originals(self._part, "loop")))

    def beats(self) -> Iterator[RealQuery]:
        """Yield `TAKES` composed beats of each drum kit."""
        for kit in self._source.originals(self._part, "kit"):
            assert is_playable(kit)
            assert kit.family is not None
            for take in range(TAKES):
                notes = compose_beat(self._generator(f"{kit.id} beat {take}"), SECONDS)
                yield RealQuery(kit.play(notes, SECONDS, self._sample_rate), (kit.family,), kit.id)

    def phrases(self, instruments: Iterable[SourceInstrument]) -> Iterator[RealQuery]:
        """Yield `TAKES` queries of each instrument, each of three composed phrases. Raises SourceError if one is silent."""
        for instrument in instruments:
            assert is_playable(instrument)
            for take in range(TAKES):
                generator = self._generator(f"{instrument.id} phrase {take}")
                parts = [self._phrase(instrument, generator) for _ in range(round(SECONDS / PHRASE_SECONDS))]
                families = () if instrument.family is None else (instrument.family,)
                yield RealQuery(np.concatenate(parts), families, instrument.id)

    def mixtures(self, solos: Sequence[RealQuery], number_of_solos: int, count: int) -> Iterator[RealQuery]:
        """Yield `count` mixtures of `solos` of different families: families are drawn evenly, then a solo of each.

        There is none where the solos have too few families.
        """
        of_family: dict[str, list[RealQuery]] = defaultdict(list)
        for solo in solos:
            of_family[solo.families[0]].append(solo)
        for number in range(count if number_of_solos <= len(of_family) else 0):
            name = f"mixture {number_of_solos}-{number}"
            generator = self._generator(name)
            families = generator.choice(sorted(of_family), number_of_solos, replace=False).tolist()
            chosen = [
                of_family[family][int(generator.integers(len(of_family[family])))] for family in families
            ]
            yield RealQuery(_mixed(generator, [solo.wave for solo in chosen]), tuple(families), name)

    def _excerpts(self, instruments: Iterable[SourceInstrument]) -> Iterator[RealQuery]:
        for instrument in instruments:
            if instrument.family is not None:
                assert is_excerpted(instrument)
                wave = instrument.excerpt(self._generator(instrument.id), SECONDS, self._sample_rate)
                yield RealQuery(wave, (instrument.family,), instrument.id)

    def _phrase(self, instrument: PlayableInstrument, generator: np.random.Generator) -> Floats:
        """A composed phrase that sounds: `[five seconds]`."""
        for _ in range(MAX_DRAWS):
            notes = fit_range(compose(generator), *musical_range(instrument))
            wave = instrument.play(notes, PHRASE_SECONDS, self._sample_rate)
            if not is_silent(wave):
                return wave
        raise SourceError(f"{instrument.id} is silent in {MAX_DRAWS} phrases", value=instrument.id)

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(name.encode())])


def _mixed(generator: np.random.Generator, waves: list[Floats]) -> Floats:
    """The sum of `waves [samples]` at equal active loudness ±3 dB, its peak at `PEAK`."""
    stems = np.stack(waves)  # [stem, samples]
    loudness = active_rms(torch.from_numpy(stems)).clamp(min=1e-5).numpy()
    gain = 10 ** (generator.uniform(-GAIN_DB, GAIN_DB, (len(stems), 1)) / 20) / loudness
    mixture = (stems * gain).sum(axis=0)
    return (mixture * (PEAK / np.abs(mixture).max())).astype(np.float32)
