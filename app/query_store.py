"""Answered queries on disk: the result as it was sent and the audio it was asked with, both or neither.

The audio is moved into place before its row is committed; what a kill leaves behind without a row is swept at start.
"""

from pathlib import Path
from time import time
from typing import Any

from sqlalchemy import delete, select

from index.catalog import Catalog, Library, Query
from models.errors import QueryNotFound

LEFTOVER_SECONDS = 3600.0


class QueryStore:
    """Keeps the newest `max_stored` queries; older ones go, with their audio."""

    def __init__(self, catalog: Catalog, folder: Path, max_stored: int) -> None:
        self._catalog = catalog
        self._folder = folder
        self._max_stored = max_stored
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, result: dict[str, Any], audio: Path, suffix: str) -> None:
        """Take over the file `audio` and the answer `result` (with its id) in one step; on an error neither stays."""
        name = f"{result['id']}{suffix}"
        target = self._folder / name
        audio.replace(target)
        try:
            with self._catalog.write() as session:
                library_id = result["library"]["id"]
                known = session.get(Library, library_id) is not None  # it may have been deleted meanwhile
                row = Query(
                    id=result["id"], library_id=library_id if known else None, file_name=result["name"]
                )
                row.audio, row.result = name, result
                session.add(row)
                session.flush()
                newest = select(Query.id).order_by(Query.created_at.desc(), Query.id).limit(self._max_stored)
                old = delete(Query).where(Query.id.not_in(newest)).returning(Query.audio)
                forgotten = [audio_name for audio_name in session.scalars(old) if audio_name]
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        for audio_name in forgotten:
            (self._folder / audio_name).unlink(missing_ok=True)

    def result(self, query_id: str) -> dict[str, Any]:
        """The answer as it was sent. Raises QueryNotFound."""
        return self._row(query_id).result

    def audio(self, query_id: str) -> Path:
        """The file the query was asked with. Raises QueryNotFound."""
        row = self._row(query_id)
        path = self._folder / row.audio if row.audio else None
        if path is None or not path.is_file():
            raise QueryNotFound(f"the audio of query {query_id} is not kept any more", value=query_id)
        return path

    def sweep(self) -> None:
        """Remove old audio that no row names: what a kill left behind. Younger files may be on their way in."""
        horizon = time() - LEFTOVER_SECONDS
        with self._catalog.session() as session:
            named = set(session.scalars(select(Query.audio)))
        for path in self._folder.iterdir():
            if path.name not in named and path.is_file() and path.stat().st_ctime < horizon:
                path.unlink(missing_ok=True)

    def _row(self, query_id: str) -> Query:
        with self._catalog.session() as session:
            row = session.get(Query, query_id)
        if row is None:
            raise QueryNotFound(f"there is no query {query_id!r}", value=query_id)
        return row
