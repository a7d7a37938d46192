"""The catalogue in a database of a PostgreSQL server: how it is reached, and how its transactions begin and wait.

A writer takes one advisory lock for its transaction, so that writers come one after another as in SQLite; it reads what was
committed before, since it waits for the lock before its first statement (READ COMMITTED). A reader sees the database as it was
at its first statement (REPEATABLE READ). https://www.postgresql.org/docs/current/transaction-iso.html
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    Function,
    NullPool,
    String,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles

from index.database.base import BUSY_SECONDS, WAIT_SECONDS, patient_engine
from index.database.postgresql_faults import fault_of, reason_of
from models.errors import Busy, DatabaseUnavailable, InvalidRequest

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
DRIVER = "postgresql+psycopg"
FORM = "postgresql://USER:PASSWORD@HOST/DATABASE, with @ : / ? # % of a password as %40 %3A %2F %3F %23 %25"
WRITE_LOCK = 0x53686F774D65  # of all that write the catalogue: the letters of ShowMe
_OTHERS = (  # of clients, not of the server's own processes
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"
)
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_SERVER_OPTIONS = (
    f"-c lock_timeout={round(1000 * BUSY_SECONDS)} "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
_CONNECT_OPTIONS = {
    "connect_timeout": round(BUSY_SECONDS),
    "prepare_threshold": None,  # a statement that was prepared fails once another process has altered its table
    # a server that vanishes without a word is noticed within a minute, and so is, by the server, a service that does
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


@compiles(String, "postgresql")
def _without_limit(_type: String, _compiler: Any, **_options: Any) -> str:
    """Name the type of texts: their lengths are checked where they come in, and no database cuts or refuses them."""
    return "VARCHAR"


def is_postgresql(location: str) -> bool:
    """Whether a URL names a PostgreSQL server."""
    return location.partition("://")[0] in SCHEMES and "://" in location


class PostgresqlDatabase:
    """The database that a URL names; psycopg connects to it."""

    def __init__(self, location: str) -> None:
        """Read the URL. Raises InvalidRequest for one that cannot be read, and DatabaseUnavailable without psycopg."""
        self._url = _read_url(location)
        host = self._url.host or self._url.query.get("host") or "this machine"
        port = f":{self._url.port}" if self._url.port else ""
        self.name = f"the database {self._url.database} on {host}{port}"
        self.reserve: Path | None = None
        reader = self._engine("REPEATABLE READ")
        self.reader: Engine = reader.execution_options(postgresql_readonly=True)
        writer = self._engine("READ COMMITTED")
        self.writer: Engine = writer.execution_options(**{WAIT_SECONDS: BUSY_SECONDS})
        self.patient_writer = patient_engine(self.writer)

    def prepare(self) -> None:
        """Connect once. Raises DatabaseUnavailable with the server's reason."""
        try:
            self.reader.connect().close()
        except DatabaseUnavailable as error:
            raise self._unavailable(error) from error.__cause__

    @contextmanager
    def altering(self) -> Iterator[Connection]:
        """Open a patient writing transaction: of several processes that migrate at once, the first one does."""
        with self.patient_writer.begin() as connection:
            yield connection

    @contextmanager
    def inspecting(self) -> Iterator[Connection | None]:
        """Open a reading connection of its own."""
        engine = self._engine("REPEATABLE READ", poolclass=NullPool)
        try:
            with engine.connect().execution_options(postgresql_readonly=True) as connection:
                yield connection
        except DatabaseUnavailable as error:
            raise self._unavailable(error) from error.__cause__

    @contextmanager
    def leaving(self) -> Iterator[Connection]:
        """Open a patient writing transaction, and wait BUSY_SECONDS for connections that are being closed."""
        self.reader.dispose()
        with self.patient_writer.begin() as connection:
            deadline = monotonic() + BUSY_SECONDS
            while others := connection.exec_driver_sql(_OTHERS).scalar_one():
                if monotonic() > deadline:
                    message = (
                        f"{self.name} has {others} other connections: stop the services that use it first"
                    )
                    raise Busy(message, value=others, limit="no other connection")
                sleep(0.05)
                connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
            yield connection

    def stored(self, value: Any) -> Any:
        """Return a text or a document with replacement characters for what PostgreSQL cannot hold."""
        from index.database.postgresql_text import storable

        if isinstance(value, str):
            return storable(value)
        return json.loads(_to_json(value)) if isinstance(value, dict | list) else value

    def last_number(self, connection: Connection, table: Table) -> int:
        """Return the last number that the table's sequence has given out."""
        sequence = connection.scalar(select(_sequence_of(table)))
        last = connection.exec_driver_sql(
            f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
        )
        return int(last.scalar_one())

    def set_last_number(self, connection: Connection, table: Table, number: int) -> None:
        """Let the table's sequence go on behind the number."""
        connection.execute(select(func.setval(_sequence_of(table), max(number, 1), number > 0)))

    def page_faults(self, connection: Connection) -> list[str]:
        """Return none: a damaged page is told when it is read, and `pg_amcheck` looks for all of them."""
        return []

    def faults(self) -> Iterator[str]:
        """Read all tables; yields nothing: a damaged page raises IndexDamaged, and the server keeps all references."""
        with self.reader.connect() as connection:
            for table in inspect(connection).get_table_names():
                quoted = connection.dialect.identifier_preparer.quote(table)
                connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}")
        yield from ()

    def _engine(self, isolation: Any, **options: Any) -> Engine:
        """Make an engine that survives a restart of the server: a connection that has ended is replaced when it is taken."""
        pool = options or {"pool_pre_ping": True, "max_overflow": -1}
        given = self._url.query.get("options", "")
        try:
            engine = create_engine(
                self._url,
                isolation_level=isolation,
                json_serializer=_to_json,
                connect_args=_CONNECT_OPTIONS | {"options": f"{_SERVER_OPTIONS} {given}"},
                hide_parameters=True,
                **pool,
            )
        except ImportError as error:
            message = (
                "PostgreSQL needs the package psycopg, the extra `postgres`: pip install 'showme[postgres]'"
            )
            raise DatabaseUnavailable(message, value=error.name or "psycopg") from error
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "handle_error", _raise_in_words)
        return engine

    def _unavailable(self, error: DatabaseUnavailable) -> DatabaseUnavailable:
        return DatabaseUnavailable(f"{self.name} cannot be used: {reason_of(error.__cause__)}")


def _sequence_of(table: Table) -> Function[str]:
    (key,) = table.primary_key
    return func.pg_get_serial_sequence(table.name, key.name)


def _read_url(location: str) -> URL:
    """Read a URL whose password, if it has one, is written so that it cannot be taken for a part of the rest."""
    wrong = "SHOWME_DATABASE_URL cannot be read"
    try:
        url = make_url(location)
        known = url.port is None or 0 < url.port < 65536
    except (ArgumentError, ValueError):  # their messages quote what may be a password
        raise InvalidRequest(wrong, limit=FORM) from None
    if not known or location.count("@") > 1 or not url.database or "/" in url.database:
        raise InvalidRequest(wrong, limit=FORM)
    return url.set(drivername=DRIVER)


def _to_json(value: object) -> str:
    """Write JSON that PostgreSQL can look into: without a character of code 0, and without half a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()
    return _NUL.sub(r"\1\\ufffd", text)


def _configure(connection: Any, _record: Any) -> None:
    from index.database.postgresql_text import TextDumper  # psycopg may be missing where it is not used

    connection.adapters.register_dumper(str, TextDumper)


def _begin(connection: Connection) -> None:
    """Take the write lock, for which a writer waits as long as its engine says."""
    wait_seconds = connection.get_execution_options().get(WAIT_SECONDS)
    if wait_seconds is not None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(1000 * wait_seconds)}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def _raise_in_words(context: ExceptionContext) -> None:
    """Raise one of our errors in place of the driver's, or nothing (SQLAlchemy's `handle_error`)."""
    if context.is_pre_ping:  # SQLAlchemy connects anew
        return
    if fault := fault_of(context.original_exception, is_lost=context.is_disconnect):
        raise fault from context.original_exception
