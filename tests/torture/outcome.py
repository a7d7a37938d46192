"""The outcome of an attack, its options, and the table that all of them end in."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Options:
    """How hard to attack: at most `tries` (None: the attack's own number), at most `minutes`, from `seed`.

    `is_short` is the form of an attack that runs among the tests. `folder` is for the attack's data; what it leaves there is
    kept only if something was lost.
    """

    folder: Path
    tries: int | None = None
    seed: int = 0
    minutes: float = 15.0
    is_short: bool = False

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def number(self, usual: int, short: int) -> int:
        """Return how many tries an attack makes that usually makes `usual` of them, and `short` among the tests."""
        return self.tries or (short if self.is_short else usual)

    def numbers(self, usual: int, short: int) -> "Tries":
        """Count the tries of an attack, as `number` does, but no longer than `minutes`."""
        return Tries(self.number(usual, short), monotonic() + 60 * self.minutes)


class Tries:
    """Counts tries up to a number or a moment, whichever comes first."""

    def __init__(self, number: int, deadline: float) -> None:
        self._number = number
        self._deadline = deadline
        self.done = 0

    def __iter__(self) -> "Tries":
        return self

    def __next__(self) -> int:
        if self.done >= self._number or (self.done and monotonic() > self._deadline):
            raise StopIteration
        self.done += 1
        return self.done - 1


@dataclass
class Outcome:
    """A row of the table: of `tries`, those that lost something acknowledged, and those that left something inconsistent."""

    attack: str
    tries: int = 0
    lost: int = 0
    inconsistent: int = 0
    detail: str = ""
    faults: list[str] = field(default_factory=list)
    skipped: bool = False

    @property
    def survived(self) -> int:
        return self.tries - self.lost - self.inconsistent

    @property
    def passed(self) -> bool:
        return not self.lost and not self.inconsistent

    def count(self, where: str, lost: Sequence[str] = (), inconsistent: Sequence[str] = ()) -> None:
        """Count a try, which was survived if there are no faults."""
        self.tries += 1
        self.lost += bool(lost)
        self.inconsistent += bool(inconsistent and not lost)
        self.faults += [f"{where}: lost: {fault}" for fault in lost]
        self.faults += [f"{where}: {fault}" for fault in inconsistent]


Attack = Callable[[Options], Outcome]


def skipped(attack: str, why: str) -> Outcome:
    """Return the row of an attack that cannot be made here."""
    return Outcome(attack, detail=f"skipped: {why}", skipped=True)


def as_json(outcomes: Sequence[Outcome]) -> str:
    return json.dumps([asdict(one) | {"survived": one.survived} for one in outcomes])


def from_json(text: str) -> list[Outcome]:
    """Return the outcomes that `as_json` wrote."""
    rows = json.loads(text)
    return [Outcome(**{key: value for key, value in row.items() if key != "survived"}) for row in rows]


def show_table(outcomes: Sequence[Outcome], console: Console) -> None:
    table = Table("attack", *("tries", "survived", "lost", "inconsistent"), "what was done", expand=False)
    for column in table.columns[1:5]:
        column.justify = "right"
    for one in outcomes:
        numbers = (one.tries, one.survived, one.lost, one.inconsistent)
        table.add_row(one.attack, *(f"{number:,}" for number in numbers), one.detail)
    console.print(table)
