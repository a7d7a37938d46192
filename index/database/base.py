"""The interface of a database that holds the catalogue, and how long its writers wait for each other."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table

BUSY_SECONDS = 5.0  # a writer waits this long for another one to finish
PATIENT_SECONDS = 60.0  # … if it has something to store that took long to make
RESTORE = "put a backup of the data folder back"
WAIT_SECONDS = "wait_seconds"  # execution option of connections that write


class Database(Protocol):
    """The database as the catalogue needs it. Its engines raise its faults as our own errors.

    Transactions of `reader` see one state of the database and wait for no writer. Those of `writer` come one after another,
    for which they wait BUSY_SECONDS, those of `patient_writer` PATIENT_SECONDS. `name` is for people and holds no password.
    `reserve` is the file that keeps room for deletions on its disk; None if that is not the data folder's.
    """

    name: str
    reader: Engine
    writer: Engine
    patient_writer: Engine
    reserve: Path | None

    def prepare(self) -> None:
        """Make sure that it can be connected to. Raises DatabaseUnavailable with the reason."""

    def altering(self) -> AbstractContextManager[Connection]:
        """Open a writing transaction in which tables may be altered."""

    def inspecting(self) -> AbstractContextManager[Connection | None]:
        """Open a connection that changes nothing, whatever the database is; None where there is none yet."""

    def leaving(self) -> AbstractContextManager[Connection]:
        """Open a transaction in which all is read before the catalogue moves away, and beside which nobody writes.

        Raises Busy while others are connected: what a service stored later would stay behind.
        """

    def stored(self, value: Any) -> Any:
        """Return a text or a document of JSON as the database gives it back; other values as they are."""

    def last_number(self, connection: Connection, table: Table) -> int:
        """Return the highest number that a row of a numbered table has ever had; 0 if none had."""

    def set_last_number(self, connection: Connection, table: Table, number: int) -> None:
        """Let the next row of a numbered table have a higher number than this."""

    def page_faults(self, connection: Connection) -> list[str]:
        """Return the first faults of the pages that a quick check finds."""

    def faults(self) -> Iterator[str]:
        """Yield all faults of the pages and of the references between rows, one sentence each."""


def patient_engine(engine: Engine) -> Engine:
    """Return the writing engine with its connections, but waiting PATIENT_SECONDS."""
    return engine.execution_options(**{WAIT_SECONDS: PATIENT_SECONDS})
