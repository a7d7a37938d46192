"""The watches in the catalogue: which folders libraries follow, which process follows them, and what was seen in them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from index.catalog import Catalog, Library
from index.declarative import new_id
from index.incoming import Watch, WatchedEntry, WatchedFile
from index.leases import Clock, is_followed, lease_watch
from index.libraries import utc_now
from index.watching.plan import KnownEntry
from models.errors import InvalidRequest, JobConflict, WatchNotFound

MAX_WATCHES = 100  # of a library: each takes a thread of the service
_BATCH = 500  # paths in one SQL condition


class HashedFile(NamedTuple):
    """A file when its content was hashed."""

    num_bytes: int
    modified_ns: int
    digest: str


@dataclass(frozen=True)
class WatchView:
    """A folder that a library follows; `fault` is why it cannot now, `is_followed` whether a living process does."""

    id: str
    library_id: str
    path: Path
    in_service: bool
    is_followed: bool
    fault: str | None
    key_id: str | None
    synced_at: datetime | None
    created_at: datetime


class WatchStore:
    """Reads all watches, and writes those of one process, which is `owner`."""

    def __init__(self, catalog: Catalog, lease_seconds: float = 60.0, clock: Clock = utc_now) -> None:
        self.owner = new_id("p")
        self.lease_seconds = lease_seconds
        self._catalog = catalog
        self._clock = clock

    def add(
        self, library_id: str, path: Path, *, in_service: bool = False, key_id: str | None = None
    ) -> WatchView:
        """Let a library follow a folder, or return the watch that does so; `in_service`: from now on a service does the work.

        Raises InvalidRequest if it follows a folder above or below it, or too many.
        """
        with self._catalog.write() as session:
            others = session.scalars(_of_library(library_id)).all()
            row = next((one for one in others if one.path == str(path)), None)
            if row is None:
                _check_fits(path, [one.path for one in others])
                row = Watch(library_id=library_id, path=str(path), key_id=key_id)
                session.add(row)
            row.in_service = row.in_service or in_service
            session.flush()
            return self._view(row)

    def all(self, library_id: str | None = None) -> list[WatchView]:
        """Return the watches of a library, or of all that are not deleted, the oldest first."""
        with self._catalog.session() as session:
            return [self._view(row) for row in session.scalars(_of_library(library_id))]

    def get(self, watch_id: str) -> WatchView:
        """Return a watch. Raises WatchNotFound."""
        with self._catalog.session() as session:
            return self._view(_find(session, watch_id))

    def remove(self, watch_id: str) -> None:
        """Forget a watch and what was seen; the library keeps its instruments. Raises WatchNotFound."""
        with self._catalog.deleting() as session:
            gone = session.scalars(delete(Watch).where(Watch.id == watch_id).returning(Watch.id)).all()
        if not gone:
            raise WatchNotFound(f"there is no watch {watch_id[:100]!r}", value=watch_id[:100])

    # Leases

    def take(self, watch_id: str) -> None:
        """Make this process the one that follows. Raises WatchNotFound, and JobConflict while another one does."""
        with self._catalog.write() as session:
            lease_watch(_find(session, watch_id), self.owner, self._clock(), self._lease_end())

    def take_free(self) -> list[WatchView]:
        """Make this process the one that follows all watches of services which no living process follows."""
        free = _of_library(None).where(Watch.in_service, ~is_followed(self._clock()))
        with self._catalog.session() as session:
            if session.scalars(free.limit(1)).first() is None:
                return []
        with self._catalog.write() as session:
            rows = session.scalars(free).all()
            for row in rows:
                row.owner, row.leased_until = self.owner, self._lease_end()
            return [self._view(row) for row in rows]

    def renew(self, watch_ids: Collection[str]) -> set[str]:
        """Renew the leases of watches; return the ids of those that are there and still this process's."""
        ours = Watch.id.in_(watch_ids) & (Watch.owner == self.owner)
        with self._catalog.write() as session:
            renewed = update(Watch).where(ours).values(leased_until=self._lease_end())
            return set(session.scalars(renewed.returning(Watch.id)))

    def release(self, watch_id: str) -> None:
        """Leave a watch to other processes."""
        ours = (Watch.id == watch_id, Watch.owner == self.owner)
        with self._catalog.write(patient=True) as session:
            session.execute(update(Watch).where(*ours).values(leased_until=None))

    def check_held(self, session: Session, watch_id: str) -> None:
        """Raise WatchNotFound if a watch was ended, JobConflict if another process has taken it: nothing may be stored."""
        if _find(session, watch_id).owner != self.owner:
            message = "another process has taken the watch over, since this one stood still"
            raise JobConflict(message, value=watch_id, limit=f"a sign of life in {self.lease_seconds:g} s")

    # What was seen

    def note(self, watch_id: str, fault: str | None) -> None:
        """Record that folder and library are the same now, or why they are not."""
        with self._catalog.write() as session:
            row = session.get(Watch, watch_id)
            if row is not None:
                row.fault = fault
                row.synced_at = row.synced_at if fault else self._clock()

    def entries(self, watch_id: str) -> dict[str, KnownEntry]:
        """Return the entries of a folder that the library follows, by path."""
        with self._catalog.session() as session:
            rows = session.scalars(select(WatchedEntry).where(WatchedEntry.watch_id == watch_id))
            return {
                row.path: KnownEntry(row.path, row.digest, tuple(row.instruments), row.fault) for row in rows
            }

    def replace_entries(
        self, session: Session, watch_id: str, paths: Collection[str], entries: Collection[KnownEntry]
    ) -> None:
        """Store entries in the place of those at `paths`, in the transaction that changes their instruments.

        Raises as `check_held`.
        """
        self.check_held(session, watch_id)
        _delete_paths(session, WatchedEntry, watch_id, {*paths, *(entry.path for entry in entries)})
        for entry in entries:
            fields = {"digest": entry.digest, "instruments": list(entry.instruments), "fault": entry.fault}
            session.add(WatchedEntry(watch_id=watch_id, path=entry.path, **fields))

    def files(self, watch_id: str) -> dict[str, HashedFile]:
        """Return the hashed files of a folder by path."""
        columns = WatchedFile.path, WatchedFile.num_bytes, WatchedFile.modified_ns, WatchedFile.digest
        with self._catalog.session() as session:
            rows = session.execute(select(*columns).where(WatchedFile.watch_id == watch_id))
            return {path: HashedFile(size, modified, digest) for path, size, modified, digest in rows}

    def replace_files(self, watch_id: str, paths: Collection[str], files: Mapping[str, HashedFile]) -> None:
        """Store files in the place of those at `paths`. Raises as `check_held`."""
        with self._catalog.write(patient=True) as session:
            self.check_held(session, watch_id)
            _delete_paths(session, WatchedFile, watch_id, {*paths, *files})
            session.add_all(
                WatchedFile(watch_id=watch_id, path=path, **file._asdict()) for path, file in files.items()
            )

    def _lease_end(self) -> datetime:
        return self._clock() + timedelta(seconds=self.lease_seconds)

    def _view(self, row: Watch) -> WatchView:
        is_followed = row.leased_until is not None and row.leased_until > self._clock()
        state = row.in_service, is_followed, row.fault, row.key_id, row.synced_at, row.created_at
        return WatchView(row.id, row.library_id, Path(row.path), *state)


def _of_library(library_id: str | None) -> Select[Watch]:
    present = select(Watch).join(Library).where(Library.deleted_at.is_(None))
    chosen = present if library_id is None else present.where(Library.id == library_id)
    return chosen.order_by(Watch.created_at, Watch.id)


def _check_fits(path: Path, others: Collection[str]) -> None:
    for other in map(Path, others):
        if path.is_relative_to(other) or other.is_relative_to(path):
            message = f"the library follows {other} already, and one of the two folders is inside the other"
            raise InvalidRequest(message, value=str(path), limit="folders beside each other")
    if len(others) >= MAX_WATCHES:
        message = f"the library follows {len(others)} folders already"
        raise InvalidRequest(message, value=len(others), limit=MAX_WATCHES)


def _find(session: Session, watch_id: str) -> Watch:
    row = session.get(Watch, watch_id)
    if row is None:
        raise WatchNotFound("the watch of this folder was ended", value=watch_id)
    return row


def _delete_paths(
    session: Session, table: type[WatchedEntry] | type[WatchedFile], watch_id: str, paths: set[str]
) -> None:
    every = sorted(paths)
    for start in range(0, len(every), _BATCH):
        chosen = table.path.in_(every[start : start + _BATCH]) & (table.watch_id == watch_id)
        session.execute(delete(table).where(chosen))
