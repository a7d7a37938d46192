"""The books of what a child says: each operation that it begins, and whether it was done, was refused, or has failed."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.torture.forked import Forked, Work
from tests.torture.ledger import Journal, Operation, State, after, as_state, differences


class Hearing:
    """The acknowledged `state`, what may have been done beside it (`pending`, `failed`), and faults."""

    def __init__(self, state: State, journal: Journal) -> None:
        self.state = state
        self.pending: list[Operation] = []
        self.failed: list[Operation] = []
        self.faults: list[str] = []
        self.told: Counter[str] = Counter()  # kinds of failures
        self.num_begun = self.num_done = 0
        self._journal = journal
        self._begun_at = 0.0

    @property
    def unfinished(self) -> list[Operation]:
        return self.failed + self.pending

    def take(self, message: dict[str, Any]) -> tuple[str, float] | None:
        """Enter a message; return the kind of the operation that it acknowledges, and its seconds."""
        self._journal.write(message)
        if "begin" in message:
            self.pending, self._begun_at = [_operation_of(message["begin"])], monotonic()
            self.num_begun += 1
            return None
        if "error" in message:
            self.faults.append(message["error"])
            return None
        if "state" in message:
            self._adopt(as_state(message["state"]), message["faults"])
            return None
        (operation,), self.pending = self.pending, []
        if "failed" in message:
            self.failed.append(operation)
            self.told[message["failed"]] += 1
        if "done" not in message:
            return None
        self.state = after(self.state, operation, message["done"])
        self.num_done += 1
        return operation.kind, monotonic() - self._begun_at

    def _adopt(self, actual: State, faults: list[str]) -> None:
        """Compare what the child finds stored with the books, and go on from that."""
        lost, strange = differences(self.state, self.unfinished, actual)
        self.faults += [*lost, *strange, *faults]
        self.state, self.failed, self.pending = actual, [], []


def heard(work: Work, state: State, journal: Path) -> Hearing:
    """Hear a child to its end."""
    return heard_until(work, state, journal, lambda hearing: None, lambda kind, seconds: None)


def heard_until(
    work: Work,
    state: State,
    journal: Path,
    kill_after: Callable[[Hearing], float | None],
    took: Callable[[str, float], None],
) -> Hearing:
    """Hear a child, and kill it the seconds after a message that `kill_after` tells."""
    books = Journal(journal)
    hearing, child = Hearing(state, books), Forked(work)
    try:
        while (message := child.hear()) is not None:
            if done := hearing.take(message):
                took(*done)
            seconds = kill_after(hearing)
            if seconds is not None:
                sleep(seconds)
                child.kill()
                break
        while (message := child.hear()) is not None:  # what it has said before it was killed
            hearing.take(message)
    finally:
        child.kill()
        child.close()
        books.close()
    return hearing


def _operation_of(values: dict[str, Any]) -> Operation:
    return Operation(**values | {"names": tuple(values["names"])})
