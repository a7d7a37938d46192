"""Words that describe instruments, and vectors of these words, for the pre-training by text.

Taenzer et al. 2021, section 4.1, take NSynth's qualities as text and Word2Vec's vectors as targets. No package that we install
holds word vectors, so they are our own: the words are those of the instruments' names, and their families; two words are near
each other where the same instruments bear them. They come of the positive pointwise mutual information of words in one name,
by a singular value decomposition; it is nearly what Word2Vec factorises (Levy & Goldberg 2014). They know our names, not
English.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.dataset import DatasetInstrument

Floats = NDArray[np.float32]

MIN_INSTRUMENTS = 3  # that bear a word
MOST_DIMENSIONS = 300
WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True)
class TagTable:
    """The words of instruments: `tags [instruments, words]` 0 or 1, and `vectors [words, dimensions]` of unit norm."""

    words: tuple[str, ...]
    tags: Floats
    vectors: Floats

    @classmethod
    def of(cls, instruments: Sequence[DatasetInstrument]) -> "TagTable":
        """The table of instruments that have families. Raises TrainingError if fewer than two words describe them."""
        found = [words_of(row) for row in instruments]
        number = Counter(word for words in found for word in words)
        families = {row.family for row in instruments}
        words = sorted(word for word, count in number.items() if count >= MIN_INSTRUMENTS or word in families)
        if len(words) < 2:
            message = f"{len(words)} words describe the instruments; they tell nothing apart"
            raise TrainingError(message, value=len(words), limit=2)
        place_of = {word: place for place, word in enumerate(words)}
        tags = np.zeros((len(instruments), len(words)), np.float32)
        for row, own in zip(tags, found, strict=True):
            row[[place_of[word] for word in own if word in place_of]] = 1
        return cls(tuple(words), tags, word_vectors(tags))

    def targets(self) -> Floats:
        """The mean of the vectors of each instrument's words, of unit norm, `[instruments, dimensions]`; 0 without a word."""
        return _unit(self.tags @ self.vectors)


def words_of(instrument: DatasetInstrument) -> set[str]:
    """The words of at least three letters of a name that is not only its id, and the family."""
    name = instrument.name.lower()
    words = set() if name == instrument.id.lower() else set(WORD.findall(name))
    return words | ({instrument.family} if instrument.family else set())


def word_vectors(tags: Floats) -> Floats:
    """Vectors of the words of `tags [instruments, words]`, `[words, dimensions]`, of unit norm."""
    together = tags.T.astype(np.float64) @ tags
    expected = np.outer(together.sum(axis=1), together.sum(axis=0)) / max(together.sum(), 1)
    with np.errstate(divide="ignore"):
        information = np.maximum(0, np.log(together / np.maximum(expected, 1e-12)))
    left, value, _ = np.linalg.svd(information, hermitian=True)
    kept = slice(0, min(MOST_DIMENSIONS, int((value > 1e-9).sum())))
    return _unit((left[:, kept] * np.sqrt(value[kept])).astype(np.float32))


def _unit(rows: Floats) -> Floats:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    out: Floats = (rows / np.maximum(norm, 1e-12)).astype(np.float32)
    return out
