"""A PostgreSQL server for the tests: on a Unix socket in a temporary folder, without fsync, with a database for each test.

The programs are looked for in SHOWME_TEST_POSTGRESQL (a folder with `initdb` and `pg_ctl`), on the PATH, and where Debian
installs them. The server refuses to run as root, so root runs it as the user `postgres`.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

ADMIN, LOCKED, PASSWORD = (
    "postgres",
    "locked",
    "se/cret",
)  # LOCKED must give the password, the others are trusted
_QUIET = "-c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=60"
_HBA = f"local all {LOCKED} scram-sha-256\nlocal all all trust\n"


def programs() -> Path | None:
    """Return the folder of the newest server's programs; None where none is installed."""
    named = os.environ.get("SHOWME_TEST_POSTGRESQL")
    on_path = shutil.which("pg_ctl")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    folders = [Path(named)] if named else [*([Path(on_path).parent] if on_path else []), *reversed(debian)]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


class PostgresqlServer:
    """A server that is running; `stop` and `start` it as a test likes."""

    def __init__(self, bin_folder: Path, folder: Path) -> None:
        self._bin = bin_folder
        self.folder = folder
        self._data = folder / "data"
        self._numbers = count()
        self._run(
            "initdb", "-D", self._data, "-U", ADMIN, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )
        (self._data / "pg_hba.conf").write_text(_HBA)
        self.start()
        self.execute(f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' {_QUIET}"
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, as a crash does: whoever is connected is thrown out, and what was committed stays."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def new_database(self, template: str = "template0") -> str:
        """Create a database, and return its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def url(self, database: str, user: str = ADMIN) -> str:
        """The URL of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = ADMIN) -> list[Any]:
        """Execute a statement outside any transaction, and return the rows that it gives."""
        import psycopg  # missing where the extra is not installed, as the server may be

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")


@contextmanager
def running_server(bin_folder: Path) -> Iterator[PostgresqlServer]:
    """Start a server in a folder of its own, whose path is short enough for a socket; end it and remove the folder."""
    folder = Path(tempfile.mkdtemp(prefix="showme-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server = PostgresqlServer(bin_folder, folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
