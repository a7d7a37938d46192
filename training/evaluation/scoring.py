"""From mixtures and a library to scores: the one place where evaluation says how a library is searched.

Ours ranks instruments by the library's posterior (`models/posterior.py`) and retrieves as many as presence counts. The rule of
Kim et al. 2022, section 3.3 is kept beside it: a slot retrieves its nearest instrument, and an instrument's score is its
highest cosine over slots. Every protocol hears its mixtures by `encode` and searches by `answer`; `chance_answers` are chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.encoder_pair import EncoderPair
from models.posterior import library_posterior, most_probable
from training.evaluation.metrics import Bools, Floats

CHUNK = 32  # mixtures whose cosines to a whole library lie in memory at a time


@dataclass(frozen=True)
class EncodedMixtures:
    """What the multi encoder gave for K mixtures: `embedding [K, slots, dim]`, `presence [K, slots]`."""

    embedding: Floats
    presence: Floats

    def __len__(self) -> int:
        return len(self.presence)


@dataclass(frozen=True)
class LibraryAnswers:
    """A library's answer to K mixtures.

    `posterior [K, instruments]`, `cosine [K, slots, instruments]`, `presence [K, slots]`.
    """

    posterior: Floats
    cosine: Floats
    presence: Floats

    @classmethod
    def of(cls, cosine: Floats, presence: Floats) -> "LibraryAnswers":
        return cls(library_posterior(cosine, presence), cosine, presence)

    @property
    def highest(self) -> Floats:
        """The paper's ranking score, the highest cosine over slots, `[K, instruments]`."""
        highest: Floats = self.cosine.max(axis=1)
        return highest

    def probable(self) -> Bools:
        """As many instruments as presence counts, the most probable ones, `[K, instruments]`."""
        return most_probable(self.posterior, self.presence)

    def retrieved(self, threshold: float) -> Bools:
        """R of section 3.3 over slots whose presence reaches the threshold (0: every slot), `[K, instruments]`."""
        nearest = self.cosine.argmax(axis=2)  # [K, slots]
        found = np.zeros(self.posterior.shape, dtype=bool)
        row, slot = np.nonzero(self.presence >= threshold)
        found[row, nearest[row, slot]] = True
        return found


def encode(pair: EncoderPair, wave: Floats) -> EncodedMixtures:
    """`wave [K, samples]` through the multi encoder."""
    return EncodedMixtures(*pair.encode(wave))


def search(encoded: EncodedMixtures, library: Floats) -> LibraryAnswers:
    """Search `library [instruments, dim]`, embeddings of unit norm, for what was encoded."""
    cosine = encoded.embedding @ library.T
    return LibraryAnswers.of(cosine, encoded.presence)


def search_all(encoded: EncodedMixtures, library: Floats) -> Iterator[LibraryAnswers]:
    """`answer` for `CHUNK` mixtures at a time, in order."""
    for start in range(0, len(encoded), CHUNK):
        part = slice(start, start + CHUNK)
        yield search(EncodedMixtures(encoded.embedding[part], encoded.presence[part]), library)


def chance_answers(
    like: EncodedMixtures, num_instruments: int, counts: tuple[int, int], seed: int
) -> Iterator[LibraryAnswers]:
    """Blind answers, in chunks too: random cosines, and between `counts` slots present, as many as there are at most."""
    rng = np.random.default_rng(seed)
    num_slots = like.presence.shape[1]
    for start in range(0, len(like), CHUNK):
        number = min(CHUNK, len(like) - start)
        cosine = rng.random((number, num_slots, num_instruments), dtype=np.float32)
        count = rng.integers(counts[0], counts[1] + 1, size=(number, 1))
        presence = (np.arange(num_slots) < count).astype(np.float32)
        yield LibraryAnswers.of(cosine, presence)


def concatenate(parts: Iterator[LibraryAnswers]) -> LibraryAnswers:
    """All answers in one: for libraries of some dozens."""
    rows = list(parts)
    return LibraryAnswers(
        *(
            np.concatenate([getattr(row, name) for row in rows])
            for name in ("posterior", "cosine", "presence")
        )
    )
