"""Stored queries: each answer in the database, its audio in a folder, both or neither.

The audio is moved into place before its row is committed. Audio that a killed process left without a row is removed at
the next start.
"""

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import time

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.newest_first import cursor_at, cursor_pattern, follows
from app.schemas import QueriedLibrary, QueryAnswer, QuerySummary
from index.catalog import Catalog, Library, Query
from index.deletions import record_deletion
from models.errors import AudioGone, IndexDamaged, QueryNotFound

log = logging.getLogger("showme")

LEFTOVER_SECONDS = 3600.0
QUERY_CURSOR = cursor_pattern("q")


class QueryStore:
    """Keeps the newest `max_stored` queries of each access key and deletes older ones with their audio."""

    def __init__(self, catalog: Catalog, folder: Path, max_stored: int) -> None:
        self._catalog = catalog
        self._folder = folder
        self._max_stored = max_stored
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        answer: QueryAnswer,
        audio: Path,
        suffix: str,
        storing: Callable[[Session], None] | None = None,
        key_id: str | None = None,
    ) -> None:
        """Store the answer to `key_id` and take over the file `audio` in one step; on an error neither is kept.

        `storing` is called in the transaction, for what is to be stored with them.
        """
        name = f"{answer.id}{suffix}"
        target = self._folder / name
        audio.replace(target)
        try:
            with self._catalog.write() as session:
                library_id = answer.library.id
                known = session.get(Library, library_id) is not None  # it may have been deleted meanwhile
                row = Query(id=answer.id, library_id=library_id if known else None, file_name=answer.name)
                row.audio, row.result, row.key_id = name, answer.model_dump(mode="json"), key_id
                row.track_id = _track_of(session, answer)
                session.add(row)
                if storing:
                    storing(session)
                session.flush()
                of_key = Query.key_id.is_not_distinct_from(key_id)
                newest = select(Query.id).where(of_key).order_by(Query.created_at.desc(), Query.id)
                too_old = of_key & Query.id.not_in(newest.limit(self._max_stored))
                old = delete(Query).where(too_old).returning(Query.audio)
                forgotten = [audio_name for audio_name in session.scalars(old) if audio_name]
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        for audio_name in forgotten:
            (self._folder / audio_name).unlink(missing_ok=True)

    def answer(self, query_id: str) -> QueryAnswer:
        """Return the answer as it was sent; fields added since then have their defaults.

        Raises QueryNotFound, and IndexDamaged for an answer that is damaged in the database.
        """
        try:
            return QueryAnswer.model_validate(self._row(query_id).result)
        except ValueError as error:
            message = f"the stored answer of query {query_id} is damaged; delete it"
            raise IndexDamaged(message, value=query_id) from error

    def audio(self, query_id: str) -> Path:
        """Return the path of the query's audio. Raises QueryNotFound."""
        try:
            return self.kept_audio(query_id)
        except AudioGone as error:
            raise QueryNotFound(error.message, value=query_id) from error

    def kept_audio(self, query_id: str) -> Path:
        """Return the path of the query's audio. Raises QueryNotFound, and AudioGone where only the answer is stored."""
        row = self._row(query_id)
        path = self._folder / row.audio if row.audio else None
        if path is None or not path.is_file():
            raise AudioGone(f"the audio of query {query_id} is no longer stored", value=query_id)
        return path

    def link_audio(self, query_id: str, target: Path) -> str:
        """Put the query's audio at `target` as well, for another query, and return its file name. Raises QueryNotFound."""
        row = self._row(query_id)
        source = self.audio(query_id)
        try:
            os.link(source, target)  # both names are one file, which lasts as long as either
        except FileNotFoundError as error:  # deleted since, to make room for newer ones
            raise QueryNotFound(
                f"the audio of query {query_id} is no longer stored", value=query_id
            ) from error
        except OSError:  # a file system without links
            shutil.copyfile(source, target)
        return row.file_name

    def key_of(self, query_id: str) -> str | None:
        """Return the access key that asked a query, None for the owner of the machine. Raises QueryNotFound."""
        with self._catalog.session() as session:  # without its answer, which may be damaged
            found = session.execute(select(Query.key_id).where(Query.id == query_id)).first()
        if found is None:
            raise no_query(query_id)
        return found.key_id

    def rename(self, query_id: str, name: str) -> QueryAnswer:
        """Rename the track of a query in all queries about it, and return its answer. Raises as `answer` does."""
        with self._catalog.write() as session:
            row = session.get(Query, query_id)
            if row is None:
                raise no_query(query_id)
            same = (Query.id == query_id) | (
                (Query.track_id == row.track_id) & (Query.key_id.is_not_distinct_from(row.key_id))
            )
            for one in session.scalars(select(Query).where(same)):
                one.file_name, one.result = name, {**one.result, "name": name}
        return self.answer(query_id)

    def page(
        self, limit: int, after: str | None, key_id: str | None = None, search: str | None = None
    ) -> tuple[list[QuerySummary], str | None]:
        """Return `limit` queries, newest first, and the cursor of the next page (None on the last).

        Each word of `search` is part of the name, in either case. With `key_id`, only those that it asked. Raises
        InvalidRequest for an `after` that is not such a cursor.
        """
        result = Query.result
        columns = (Query.id, Query.file_name, result["library"], result["num_instruments"].as_integer())
        range_columns = (
            result["range_seconds"],
            result["duration_seconds"].as_float(),
            result["family"].as_string(),
        )
        rows = select(*columns, Query.created_at, Query.track_id, *range_columns)
        rows = rows.order_by(Query.created_at.desc(), Query.id)
        for word in (search or "").split():
            rows = rows.where(Query.file_name.icontains(word, autoescape=True))
        if key_id is not None:
            rows = rows.where(Query.key_id == key_id)
        if after is not None:
            rows = rows.where(follows(after, QUERY_CURSOR, Query.created_at, Query.id))
        with self._catalog.session() as session:
            found = [
                QuerySummary(
                    id=query_id,
                    name=name,
                    library=QueriedLibrary.model_validate(library),
                    num_instruments=num_instruments,
                    created_at=created_at,
                    track=track or query_id,
                    range_seconds=asked_range,
                    duration_seconds=duration,
                    family=family,
                )
                for query_id, name, library, num_instruments, created_at, track, asked_range, duration, family in (
                    session.execute(rows.limit(limit + 1))
                )
            ]
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], cursor_at(last.created_at, last.id) if last else None

    def remove(self, query_id: str) -> None:
        """Delete a query and its audio. Raises QueryNotFound."""
        with self._catalog.deleting() as session:
            gone = session.execute(delete(Query).where(Query.id == query_id).returning(Query.audio)).first()
            if gone is None:
                raise no_query(query_id)
            record_deletion(session, "query", query_id)
        if gone.audio:
            (self._folder / gone.audio).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Delete audio without a row, left by a killed process; younger files may belong to a query in progress.

        Where most of it has no row, the database has been emptied or replaced, and all is kept.
        """
        horizon = time() - LEFTOVER_SECONDS
        with self._catalog.session() as session:
            named = set(session.scalars(select(Query.audio)))
        files = [path for path in self._folder.iterdir() if path.is_file()]
        strange = [path for path in files if path.name not in named]
        if 2 * len(strange) > len(files):
            log.warning(
                "%d of the files in %s are of no query in the database; they are kept",
                len(strange),
                self._folder,
            )
            return
        for path in strange:
            with suppress(FileNotFoundError):  # removed meanwhile
                if path.stat().st_ctime < horizon:
                    path.unlink()

    def _row(self, query_id: str) -> Query:
        with self._catalog.session() as session:
            row = session.get(Query, query_id)
        if row is None:
            raise no_query(query_id)
        return row


def _track_of(session: Session, answer: QueryAnswer) -> str:
    """Return the id of the query that the audio of an answer was uploaded with."""
    if answer.asked_again is None:
        return answer.id
    return session.scalar(select(Query.track_id).where(Query.id == answer.asked_again)) or answer.asked_again


def no_query(query_id: str) -> QueryNotFound:
    """Return the error of a query that is not there, or must not be known to be."""
    return QueryNotFound(f"there is no query {query_id[:100]!r}", value=query_id[:100])
