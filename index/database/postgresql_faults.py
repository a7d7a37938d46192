"""The faults of a PostgreSQL server in our own errors, by their SQLSTATE.

https://www.postgresql.org/docs/current/errcodes-appendix.html. Messages of the server may name hosts and files, so what a
client of the service is told does not quote them.
"""

import re

from index.database.base import RESTORE
from models.errors import Busy, DatabaseUnavailable, IndexDamaged, ShowMeError, StorageFull

_BUSY = (
    "55P03",
    "40001",
    "40P01",
    "57014",
    "53200",
    "53300",
)  # locks, conflicts, cancelled, memory, connections
_FULL = "53100"
_DAMAGED = ("XX001", "XX002")
_FAILING_DISK = ("58030", "58P01")
_FORBIDDEN = ("42501", "25006")
_LOST = ("08", "57P")  # connections, and a server that stops or starts
_FAILED = re.compile(r"failed: (?!connection)(?:FATAL: +)?(.+)")


def fault_of(error: BaseException, *, is_lost: bool) -> ShowMeError | None:
    """Return our error for one of psycopg; None for one that is no fault of the server."""
    state = getattr(error, "sqlstate", None) or ""
    if state in _BUSY:
        return Busy("another write holds the database; try again", value=state, limit="one write at a time")
    if state == _FULL:
        message = "the disk of the database server is full: make room on it"
        return StorageFull(message, value=state, limit="free space")
    if state in _DAMAGED:
        return IndexDamaged(f"the database is damaged ({reason_of(error)}); {RESTORE}", value=state)
    if state in _FAILING_DISK:
        return IndexDamaged("the disk fails under the database server", value=state)
    if state in _FORBIDDEN:
        return DatabaseUnavailable(f"the database server forbids it: {reason_of(error)}", value=state)
    if is_lost or state.startswith(_LOST) or (not state and type(error).__name__ == "OperationalError"):
        return DatabaseUnavailable("the database cannot be reached; try again", value=state or None)
    return None


def reason_of(error: BaseException | None) -> str:
    """Return the server's or the system's own words, in one line."""
    text = str(error).strip()
    found = _FAILED.search(text)
    return (found[1] if found else text.partition("\n")[0]).strip()
