"""Libraries of any size: the held-out instruments first, then distractors, drawn so that a larger library holds the smaller.

Kim et al. 2022 search among 53; a producer searches among thousands. Distractors are instruments of the data set, enrolled as
the held-out ones are: the rest of their split, other held-out splits, training instruments; then single clips of training
instruments, each standing as an instrument of its own. Near-duplicates of held-out instruments (their split group) stay out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import TrainingError
from training.evaluation.embeddings import ClipEmbeddings, unit
from training.evaluation.metrics import Floats
from training.nlakh.dataset import TRAIN


@dataclass(frozen=True)
class Entry:
    """One member of a library: clips `first … first + number - 1` of an instrument (place) of a split."""

    split: str
    place: int
    first: int
    number: int
    kind: str  # how it is counted in words


class DistractorPool:
    """All that libraries around some held-out instruments can be made of, in order."""

    def __init__(
        self,
        own: ClipEmbeddings,
        chosen: Sequence[int],
        others: Sequence[ClipEmbeddings],
        num_enrolled: int,
        seed: int,
    ) -> None:
        """`others` are the data set's other splits, training last."""
        self._of_split = {view.split: view for view in (own, *others)}
        entries = [Entry(own.split, place, 0, num_enrolled, "held out") for place in chosen]
        rng = np.random.default_rng(seed)
        entries += _shuffled(rng, _rest(own, chosen, num_enrolled))
        held = [entry for view in others if view.split != TRAIN for entry in _whole(view, num_enrolled)]
        entries += _shuffled(rng, held)
        for view in (view for view in others if view.split == TRAIN):
            entries += _shuffled(rng, list(_whole(view, num_enrolled)))
            entries += _shuffled(rng, list(_singles(view, num_enrolled)))
        self.entries = tuple(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def of_size(self, size: int) -> tuple[Entry, ...]:
        """Raises TrainingError when there are not as many, or when `size` leaves held-out instruments out."""
        least = sum(entry.kind == "held out" for entry in self.entries)
        if not least <= size <= len(self):
            limit = f"{least:,} to {len(self):,}"
            raise TrainingError(
                f"a library of {size:,} cannot be made: the held-out instruments and all there is beside them allow {limit}",
                value=size,
                limit=limit,
            )
        return self.entries[:size]

    def embeddings(self, entries: Sequence[Entry]) -> Floats:
        """`[entries, dim]`, each the normalised mean of its clips."""
        out: list[Floats] = [np.empty(0, np.float32)] * len(entries)
        for split, number in {(entry.split, entry.number): None for entry in entries}:
            view = self._of_split[split]
            where = [i for i, entry in enumerate(entries) if (entry.split, entry.number) == (split, number)]
            first = np.array(
                [entries[i].place * view.bank.clips_per_instrument + entries[i].first for i in where]
            )
            clips = view.of_rows((first[:, None] + np.arange(number)).ravel())
            for i, vector in zip(
                where, unit(clips.reshape(len(where), number, -1).mean(axis=1)), strict=True
            ):
                out[i] = vector
        return np.stack(out)


def in_words(entries: Sequence[Entry]) -> str:
    """`53 held out, 128 others of test-same, …`."""
    return ", ".join(f"{count:,} {kind}" for kind, count in Counter(entry.kind for entry in entries).items())


def _rest(own: ClipEmbeddings, chosen: Sequence[int], number: int) -> list[Entry]:
    """The split's other instruments, less near-duplicates of the chosen ones."""
    groups = {own.instruments[place].group for place in chosen} - {None}
    return [
        Entry(own.split, place, 0, number, f"others of {own.split}")
        for place, instrument in enumerate(own.instruments)
        if place not in set(chosen) and instrument.group not in groups
    ]


def _whole(view: ClipEmbeddings, number: int) -> Iterator[Entry]:
    kind = f"training instruments ({view.split})" if view.split == TRAIN else f"of {view.split}"
    return (Entry(view.split, place, 0, number, kind) for place in range(len(view.instruments)))


def _singles(view: ClipEmbeddings, num_enrolled: int) -> Iterator[Entry]:
    """Each clip that enrolled nothing, as an instrument."""
    for place in range(len(view.instruments)):
        for clip in range(num_enrolled, view.bank.clips_per_instrument):
            yield Entry(view.split, place, clip, 1, "single clips of training instruments")


def _shuffled(rng: np.random.Generator, entries: list[Entry]) -> list[Entry]:
    return [entries[i] for i in rng.permutation(len(entries))]
