"""The catalogue: every library, instrument, clip, job and query, and every embedding, in one database.

docs/ARCHITECTURE.md, decision 1: an SQLite file, or a PostgreSQL server, is the truth and the vector files are caches of it.
Callers of `InstrumentIndex` get the frozen views of `index/records.py`, never live rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    TextClause,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from index.database.opening import open_database
from index.declarative import Base, UtcDateTime, id_column, new_id, now
from index.disk import DiskReserve

JOB_STATES = ("queued", "running", "done", "failed", "cancelled")
UNFINISHED_STATES = JOB_STATES[:2]


_NOT_DELETED = text("deleted_at IS NULL")
_UNOWNED = text("deleted_at IS NULL AND key_id IS NULL")  # an index takes nulls for different values


def _unique_where(condition: TextClause) -> dict[str, Any]:
    """The options of an index that is unique among the rows of a condition."""
    return {"unique": True, "sqlite_where": condition, "postgresql_where": condition}


class Library(Base):
    """A collection of instruments. `revision` rises with every change, so that other processes notice.

    `vectors_revision` is the revision at which embeddings that it had were last replaced: older vector files are not valid.
    A row with `deleted_at` can be restored until it is purged: readers do not see it, and its name is free.
    `key_id` is the access key that it belongs to (None: the owner of the machine), among whose libraries its name is unique;
    other keys can read it if it is `shared`.
    """

    __tablename__ = "library"
    __table_args__ = (
        Index("uq_library_name_kept", "key_id", "name", **_unique_where(_NOT_DELETED)),
        Index("uq_library_name_unowned", "name", **_unique_where(_UNOWNED)),
    )

    id: Mapped[str] = id_column("l")
    name: Mapped[str] = mapped_column(String(200))
    encoder_hash: Mapped[str] = mapped_column(String(80))
    revision: Mapped[int] = mapped_column(default=0)
    vectors_revision: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    key_id: Mapped[str | None] = mapped_column(String(16))
    shared: Mapped[bool] = mapped_column(default=False, server_default=false())


class Instrument(Base):
    """An instrument and its embedding, the normalised mean of its clips' embeddings. A `vector_id` is never used twice.

    A row with `deleted_at` can be restored until it is purged, as for a library. `name_corrected` and `family_corrected`
    mark corrections by a person, which enrolling the same source again does not undo. `family` is named by its source or by a
    person; where neither names one, `families` holds the probability of each, recognised from its sound. `source_path` is
    where its source was opened: absolute, or relative to the data folder for a kept upload; None in older versions. `job_id` is
    the job that enrolled it, in whose next run it is not enrolled again.
    """

    __tablename__ = "instrument"
    __table_args__ = (
        Index("uq_instrument_name_kept", "library_id", "name", **_unique_where(_NOT_DELETED)),
        Index(None, "library_id", "family"),
        {"sqlite_autoincrement": True},
    )

    vector_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(16), unique=True, default=lambda: new_id("i"))
    library_id: Mapped[str] = mapped_column(ForeignKey("library.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(300))
    family: Mapped[str | None] = mapped_column(String(20))
    families: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))
    source: Mapped[str] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(Text)
    lowest_pitch: Mapped[int | None]  # MIDI, both or none
    highest_pitch: Mapped[int | None]
    num_clips: Mapped[int]
    encoder_hash: Mapped[str] = mapped_column(String(80))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    source_name: Mapped[str | None] = mapped_column(String(300))  # its name in its source
    name_corrected: Mapped[bool] = mapped_column(default=False, server_default=false())
    family_corrected: Mapped[bool] = mapped_column(default=False, server_default=false())
    source_path: Mapped[str | None] = mapped_column(Text)
    source_key: Mapped[str | None] = mapped_column(String(200))  # its id in its source
    from_preview: Mapped[bool] = mapped_column(default=False, server_default=false())  # not from its source
    job_id: Mapped[str | None] = mapped_column(String(16))
    tags: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  # one a line
    favourite: Mapped[bool] = mapped_column(default=False, server_default=false())


class Clip(Base):
    """The embedding of one clip of an instrument, kept beside the mean of all."""

    __tablename__ = "clip"
    __table_args__ = (UniqueConstraint("vector_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    vector_id: Mapped[int] = mapped_column(ForeignKey("instrument.vector_id", ondelete="CASCADE"))
    position: Mapped[int]
    embedding: Mapped[bytes] = mapped_column(LargeBinary)


class OtherEmbedding(Base):
    """An embedding of an instrument by another encoder than that of its row (`index/reembed.py`).

    Either a new one, which waits until those of the whole library are complete, or the one that it had before.
    """

    __tablename__ = "other_embedding"

    vector_id: Mapped[int] = mapped_column(
        ForeignKey("instrument.vector_id", ondelete="CASCADE"), primary_key=True
    )
    encoder_hash: Mapped[str] = mapped_column(String(80), primary_key=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    clips: Mapped[bytes] = mapped_column(LargeBinary)  # float32 [clips, dim]
    from_preview: Mapped[bool]


class LibraryMap(Base):
    """The places of the instruments with these vector ids on a library's map, drawn at `revision` of the library."""

    __tablename__ = "library_map"

    library_id: Mapped[str] = mapped_column(ForeignKey("library.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int]
    method: Mapped[str] = mapped_column(String(10))
    explained_variance: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    vector_ids: Mapped[bytes] = mapped_column(LargeBinary)  # int64 [n]
    points: Mapped[bytes] = mapped_column(LargeBinary)  # float32 [n, 2]
    num_guessed: Mapped[int] = mapped_column(default=0)


class Job(Base):
    """An enrollment or a re-embedding. `skipped` lists [name, reason] of each instrument left out.

    An unfinished job belongs to the process `owner`, which renews `leased_until`; after that moment the process has ended
    (`index/leases.py`). `key_id` is the access key that asked for it.
    An enrollment goes on from `source_path`, which is as that of an instrument. `kept` is the number of instruments that it has
    stored, 0 after `taken_out_at`, when they were deleted together (`index/job_instruments.py`).
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
    )

    id: Mapped[str] = id_column("j")
    library_id: Mapped[str | None] = mapped_column(ForeignKey("library.id", ondelete="SET NULL"), index=True)
    kind: Mapped[str] = mapped_column(String(10), default="enroll", server_default=text("'enroll'"))
    state: Mapped[str] = mapped_column(String(10), default="queued")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")
    skipped: Mapped[list[tuple[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    owner: Mapped[str | None] = mapped_column(String(16))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    key_id: Mapped[str | None] = mapped_column(String(16))
    source_path: Mapped[str | None] = mapped_column(Text)
    kept: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    taken_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)


class Query(Base):
    """An answered query of `key_id`: its result as it was sent, and the name of its audio file under `queries/`.

    `track_id` is the query that its audio was uploaded with, its own id or that of another, which may be deleted since.
    """

    __tablename__ = "query"

    id: Mapped[str] = id_column("q")
    library_id: Mapped[str | None] = mapped_column(ForeignKey("library.id", ondelete="SET NULL"), index=True)
    file_name: Mapped[str] = mapped_column(Text)
    audio: Mapped[str | None] = mapped_column(String(80))
    track_id: Mapped[str | None] = mapped_column(String(16), index=True)
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    key_id: Mapped[str | None] = mapped_column(String(16), index=True)


class AnsweredKey(Base):
    """The answer to a request with an Idempotency-Key, and the hash of what was asked (`app/idempotency.py`)."""

    __tablename__ = "answered_key"

    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)


class AccessKey(Base):
    """A key to the service, of which only the SHA-256 is stored (`app/access/keys.py`). A revoked one is kept for its id."""

    __tablename__ = "access_key"

    id: Mapped[str] = id_column("k")
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SignIn(Base):
    """A session of a browser that has signed in with a key: the SHA-256 of the token in its cookie."""

    __tablename__ = "sign_in"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("access_key.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Deletion(Base):
    """A deletion that somebody asked for (`index/deletions.py`): ids alone, and no names."""

    __tablename__ = "deletion"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    kind: Mapped[str] = mapped_column(String(10))
    item_id: Mapped[str] = mapped_column(String(16))
    key_id: Mapped[str | None] = mapped_column(String(16))  # None: the owner of the machine
    request_id: Mapped[str | None] = mapped_column(String(64))  # None: a command in the terminal


class Catalog:
    """The database and its sessions. Safe to use from several threads and several processes.

    `engine` begins transactions for reading; `writer` begins them with the write lock. Their connections are apart, so that
    readers never wait for writers. Faults of the database are raised as Busy, DatabaseUnavailable, StorageFull and
    IndexDamaged.
    """

    def __init__(self, location: Path | str) -> None:
        """`location` is the path of an SQLite file, or the URL of a PostgreSQL database. Raises as `open_database` does."""
        self.database = open_database(location)
        self.reserve = DiskReserve(self.database.reserve)
        self.engine = self.database.reader
        self.writer = self.database.writer
        self.patient_writer = self.database.patient_writer

    def migrate(self) -> None:
        """Upgrade the schema to the newest revision.

        Raises IndexDamaged for another program's file or a newer version's, and DatabaseUnavailable, with the reason, for a
        server that cannot be reached.
        """
        from index.migrations import upgrade  # alembic takes a quarter of a second to import

        self.database.prepare()
        upgrade(self.database)

    def session(self) -> Session:
        """Open a session for reading: it sees one state of the database and never waits for writers."""
        return Session(self.engine, expire_on_commit=False)

    @contextmanager
    def write(self, *, patient: bool = False) -> Iterator[Session]:
        """Open a session that holds the write lock; it commits at the end and rolls back on an exception.

        It waits BUSY_SECONDS for another writer and then raises Busy; `patient`: PATIENT_SECONDS.
        """
        writer = self.patient_writer if patient else self.writer
        with Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def deleting(self) -> Iterator[Session]:
        """Open a session as `write` does, for a deletion, which a full disk must not prevent."""
        self.reserve.release_if_needed()
        with self.write() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()
        self.writer.dispose()
