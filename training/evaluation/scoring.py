"""Search a library with encoded mixtures. All protocols search through this module.

`search` computes two kinds of answer. The ranking and the named set come from `index/retrieval.py`, as in the service. The
rule of Kim et al. 2022, section 3.3 is for comparison: each slot retrieves its nearest instrument, and the score of an
instrument is its highest cosine. `chance_answers` gives the chance level.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from index.retrieval import QuerySlots, retrieve
from index.search_space import SearchSpace, Similarities
from models.encoder_pair import EncoderPair
from models.posterior import library_posterior
from training.evaluation.metrics import Bools, Floats

CHUNK = 32  # mixtures searched at a time: limits the cosines in memory


@dataclass(frozen=True)
class EncodedMixtures:
    """The multi encoder's output for K mixtures of one window: `embedding [K, slots, dim]`, `presence [K, slots]`.

    `threshold` is the presence threshold in the encoder's checkpoint.
    """

    embedding: Floats
    presence: Floats
    threshold: float

    def __len__(self) -> int:
        return len(self.presence)

    def part(self, rows: slice) -> "EncodedMixtures":
        """Return some of the mixtures."""
        return EncodedMixtures(self.embedding[rows], self.presence[rows], self.threshold)


@dataclass(frozen=True)
class LibraryAnswers:
    """The answers of a library to K mixtures.

    `probability [K, instruments]` gives the served ranking and `named [K, instruments]` marks the served set. `similarity` and
    `cosine [K, slots, instruments]` are of all slots, used or not: ours, and the paper's.
    """

    probability: Floats
    named: Bools
    similarity: Floats
    cosine: Floats

    @property
    def highest(self) -> Floats:
        """The paper's ranking score, the highest cosine over slots, `[K, instruments]`."""
        highest: Floats = self.cosine.max(axis=1)
        return highest

    def published(self) -> Bools:
        """Return the set R of section 3.3: the nearest instrument of every slot, as a mask `[K, instruments]`."""
        found = np.zeros(self.probability.shape, dtype=bool)
        np.put_along_axis(found, self.cosine.argmax(axis=2), True, axis=1)
        return found


def encode(pair: EncoderPair, wave: Floats) -> EncodedMixtures:
    """Encode `wave [K, samples]`, one window each."""
    return EncodedMixtures(*pair.encode(wave), pair.presence_threshold)


def search(encoded: EncodedMixtures, library: SearchSpace) -> LibraryAnswers:
    """Search a library as the service does."""
    every = encoded.embedding.reshape(-1, encoded.embedding.shape[2])
    cosine = library.cosines(every)
    similarity = replace(library, cosines=lambda _: cosine)(every)
    cosine, similarity = (one.reshape(*encoded.presence.shape, -1) for one in (cosine, similarity))
    probability = np.zeros((len(encoded), len(library)), np.float32)
    named = np.zeros(probability.shape, dtype=bool)
    for row, (embedding, presence) in enumerate(zip(encoded.embedding, encoded.presence, strict=True)):
        slots = QuerySlots(embedding[None], presence[None])
        space = replace(library, cosines=_cosines_of_sums(embedding, cosine[row]))
        found = retrieve(slots, space, encoded.threshold)
        probability[row] = found.probability
        named[row, found.named] = True
    return LibraryAnswers(probability, named, similarity, cosine)


def _cosines_of_sums(slots: Floats, cosine: Floats) -> Similarities:
    """Cosines of weighted sums of `slots [M, dim]`, from the slots' own `cosine [M, instruments]`.

    A track's embedding is such a sum, so a large library is read once for all mixtures of a chunk. Equal to the product with
    the library but for rounding.
    """
    weights_of = np.linalg.pinv(slots)  # [dim, M]
    return lambda embedding: np.asarray(embedding @ weights_of @ cosine, np.float32)


def search_all(encoded: EncodedMixtures, library: SearchSpace) -> Iterator[LibraryAnswers]:
    """Apply `search` to `CHUNK` mixtures at a time, in order."""
    for start in range(0, len(encoded), CHUNK):
        yield search(encoded.part(slice(start, start + CHUNK)), library)


def chance_answers(
    like: EncodedMixtures, num_instruments: int, counts: tuple[int, int], seed: int
) -> Iterator[LibraryAnswers]:
    """Yield random answers in chunks: random cosines, and a named set whose size is uniform in the range `counts`."""
    rng = np.random.default_rng(seed)
    num_slots = like.presence.shape[1]
    for start in range(0, len(like), CHUNK):
        number = min(CHUNK, len(like) - start)
        cosine = rng.random((number, num_slots, num_instruments), dtype=np.float32)
        count = np.minimum(rng.integers(counts[0], counts[1] + 1, size=(number, 1)), num_slots)
        probability = library_posterior(cosine, (np.arange(num_slots) < count).astype(np.float32))
        rank = np.argsort(np.argsort(-probability, axis=1, kind="stable"), axis=1, kind="stable")
        yield LibraryAnswers(probability, rank < count, cosine, cosine)


def concatenate(parts: Iterator[LibraryAnswers]) -> LibraryAnswers:
    """Join chunks of answers; meant for libraries of a few dozen instruments."""
    rows = list(parts)
    names = [item.name for item in fields(LibraryAnswers)]
    return LibraryAnswers(*(np.concatenate([getattr(row, name) for row in rows]) for name in names))
