"""Nested libraries of any size: the held-out instruments first, then distractors. A larger library contains the smaller ones.

Kim et al. 2022 search among 53 instruments; a producer searches among thousands. Distractors are enrolled in the same way as
the held-out instruments, in this order: the rest of their split, other held-out splits, training instruments, and finally
single clips of training instruments, each of which counts as an instrument. Near-duplicates of the held-out instruments (same
split group) are left out.
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
class LibraryEntry:
    """One member of a library: clips `first … first + number - 1` of the instrument at `place` in a split."""

    split: str
    place: int
    first: int
    number: int
    kind: str  # the group it is counted under in table notes


class DistractorPool:
    """All possible library members around some held-out instruments, in the order in which libraries take them."""

    def __init__(
        self,
        own: ClipEmbeddings,
        chosen: Sequence[int],
        others: Sequence[ClipEmbeddings],
        num_enrolled: int,
        seed: int,
    ) -> None:
        """`others` are the other splits of the data set, with the training split last."""
        self._of_split = {view.split: view for view in (own, *others)}
        entries = [LibraryEntry(own.split, place, 0, num_enrolled, "held out") for place in chosen]
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

    def of_size(self, size: int) -> tuple[LibraryEntry, ...]:
        """Return the first `size` entries. Raises TrainingError if there are too few, or if held-out ones would be left out."""
        least = sum(entry.kind == "held out" for entry in self.entries)
        if not least <= size <= len(self):
            limit = f"{least:,} to {len(self):,}"
            raise TrainingError(
                f"a library of {size:,} cannot be made: the held-out instruments and their distractors allow {limit}",
                value=size,
                limit=limit,
            )
        return self.entries[:size]

    def families(self, entries: Sequence[LibraryEntry]) -> list[str | None]:
        """Return the family of each entry, None where it is unknown."""
        return [self._of_split[entry.split].instruments[entry.place].family for entry in entries]

    def embeddings(self, entries: Sequence[LibraryEntry]) -> Floats:
        """Return `[entries, dim]`: the normalised mean embedding of the clips of each entry."""
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


def describe_entries(entries: Sequence[LibraryEntry]) -> str:
    """Return the counts by kind as text: `53 held out, 128 others of test-same, …`."""
    return ", ".join(f"{count:,} {kind}" for kind, count in Counter(entry.kind for entry in entries).items())


def _rest(own: ClipEmbeddings, chosen: Sequence[int], number: int) -> list[LibraryEntry]:
    """Return the other instruments of the split, without near-duplicates of the chosen ones."""
    groups = {own.instruments[place].group for place in chosen} - {None}
    return [
        LibraryEntry(own.split, place, 0, number, f"others of {own.split}")
        for place, instrument in enumerate(own.instruments)
        if place not in set(chosen) and instrument.group not in groups
    ]


def _whole(view: ClipEmbeddings, number: int) -> Iterator[LibraryEntry]:
    kind = f"training instruments ({view.split})" if view.split == TRAIN else f"of {view.split}"
    return (LibraryEntry(view.split, place, 0, number, kind) for place in range(len(view.instruments)))


def _singles(view: ClipEmbeddings, num_enrolled: int) -> Iterator[LibraryEntry]:
    """Yield every clip that is not used for enrollment, as an instrument of its own."""
    for place in range(len(view.instruments)):
        for clip in range(num_enrolled, view.bank.clips_per_instrument):
            yield LibraryEntry(view.split, place, clip, 1, "single clips of training instruments")


def _shuffled(rng: np.random.Generator, entries: list[LibraryEntry]) -> list[LibraryEntry]:
    return [entries[i] for i in rng.permutation(len(entries))]
