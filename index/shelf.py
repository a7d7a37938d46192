"""The data folder and every change to the libraries in it: made, renamed, corrected, deleted, restored, purged.

DESIGN.md, decision 1: each change is one transaction of the catalogue, raises its library's revision, and the files follow.
What is deleted can be restored for a while; then it is purged, when the folder is opened and after later deletions.
"""

import logging
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from index.catalog import Catalog, Instrument, Library
from index.lookups import (
    count_instruments,
    find_instrument,
    find_library,
    instrument_info,
    library_info,
)
from index.maps import LibraryMaps
from index.naming import (
    MAX_INSTRUMENT_NAME_LENGTH,
    MAX_NAME_LENGTH,
    check_family,
    check_instrument_name,
    check_library_name,
    clean_name,
)
from index.records import InstrumentInfo, LibraryInfo
from index.vector_cache import VectorCache
from models.errors import (
    EncoderMismatch,
    IndexDamaged,
    InstrumentNotFound,
    LibraryNotFound,
)

log = logging.getLogger(__name__)

UNDO_SECONDS = 3600.0
LEFTOVER_SECONDS = 24 * 3600.0  # an enrollment of another process may be at work on younger files


class Correction(TypedDict, total=False):
    """What a person changes of an instrument; what is left out stays."""

    name: str
    family: str | None


class Shelf:
    """The catalogue, its files, and the changes to both. Call `open()` before anything else."""

    def __init__(
        self,
        data_dir: Path,
        encoder_hash: str,
        embedding_dim: int,
        device: str = "cpu",
        undo_seconds: float = UNDO_SECONDS,
    ) -> None:
        self.data_dir = data_dir
        self.encoder_hash = encoder_hash
        self.embedding_dim = embedding_dim
        self.undo_seconds = undo_seconds
        self.previews_dir = data_dir / "previews"
        self.tmp_dir = data_dir / "tmp"
        self.queries_dir = data_dir / "queries"
        self.vectors_dir = data_dir / "vectors"
        self.catalog = Catalog(data_dir / "showme.db")
        self.maps = LibraryMaps(self.catalog)
        self.vectors = VectorCache(self.catalog, self.vectors_dir, embedding_dim, device)

    def open(self) -> None:
        """Migrate the catalogue, purge what cannot be restored any more, and bring all vectors in line with the rest.

        Raises IndexDamaged if `showme.db` is not a catalogue. Libraries of another encoder, and those whose embeddings
        are damaged in the catalogue itself, are left as they are: they can be listed, and are refused when searched.
        """
        self.catalog.migrate()
        for folder in (self.previews_dir, self.tmp_dir, self.queries_dir, self.vectors_dir):
            folder.mkdir(parents=True, exist_ok=True)
        self.purge()
        self._sweep()
        with self.catalog.session() as session:
            libraries = session.scalars(select(Library).where(Library.deleted_at.is_(None))).all()
        for library in libraries:
            self._follow(library)

    def close(self) -> None:
        self.catalog.close()

    # Libraries

    def create_library(self, name: str) -> LibraryInfo:
        """Raises InvalidRequest for an empty or overlong name, LibraryExists for one that is taken."""
        name = clean_name("a library's name", name, MAX_NAME_LENGTH)
        with self.catalog.write() as session:
            check_library_name(session, name)
            library = Library(name=name, encoder_hash=self.encoder_hash)
            session.add(library)
        return library_info(library, 0)

    def rename_library(self, id_or_name: str, name: str) -> LibraryInfo:
        """Raises LibraryNotFound, InvalidRequest for an empty or overlong name, LibraryExists for one that is taken."""
        name = clean_name("a library's name", name, MAX_NAME_LENGTH)
        with self.catalog.write() as session:
            library = find_library(session, id_or_name)
            if name != library.name:
                check_library_name(session, name)
                library.name = name
            return library_info(library, count_instruments(session, library.id))

    def delete_library(self, id_or_name: str) -> LibraryInfo:
        """Take a library away with all it holds; `restore_library` brings it back. Raises LibraryNotFound."""
        with self.catalog.write() as session:
            library = find_library(session, id_or_name)
            library.deleted_at = _now()
            library.revision += 1
            gone = library_info(library, count_instruments(session, library.id))
        self.vectors.forget(library.id)
        self.purge()
        return gone

    def drop_library(self, library_id: str) -> None:
        """Take a library away for good. Raises LibraryNotFound."""
        with self.catalog.write() as session:
            library = find_library(session, library_id)
            gone = _delete(session, Library.id == library.id, Instrument.library_id == library.id)
        self._remove_files(*gone)

    def empty_library(self, library_id: str) -> LibraryInfo:
        """Delete all instruments of a library, which may then be filled by another encoder. Raises LibraryNotFound."""
        with self.catalog.write() as session:
            library = find_library(session, library_id)
            theirs = (Instrument.library_id == library.id) & Instrument.deleted_at.is_(None)
            session.execute(update(Instrument).where(theirs).values(deleted_at=_now()))
            library.revision += 1
        self._follow(library)
        return library_info(library, 0)

    def restore_library(self, library_id: str) -> LibraryInfo:
        """Bring a deleted library back whole; one that is there is given as it is.

        Raises LibraryNotFound if there is no such library (any more), LibraryExists if its name was taken meanwhile.
        """
        with self.catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or not self._can_restore(library.deleted_at):
                raise LibraryNotFound(
                    f"there is no library {library_id[:100]!r} to restore", value=library_id[:100]
                )
            if library.deleted_at is not None:
                check_library_name(session, library.name)
                library.deleted_at = None
                library.revision += 1
            restored = library_info(library, count_instruments(session, library.id))
        self._follow(library)
        return restored

    # Instruments

    def correct_instrument(self, instrument_id: str, correction: Correction) -> InstrumentInfo:
        """Change an instrument's name, its family, or both.

        Raises InstrumentNotFound, InvalidRequest for a name or a family that cannot be, InstrumentExists for a name
        that another instrument of the library has.
        """
        with self.catalog.write() as session:
            instrument = find_instrument(session, instrument_id)
            library = session.get_one(Library, instrument.library_id)
            before = instrument.name, instrument.family
            if "name" in correction:
                name = clean_name("an instrument's name", correction["name"], MAX_INSTRUMENT_NAME_LENGTH)
                if name != instrument.name:
                    check_instrument_name(session, library, name)
                    instrument.name, instrument.name_corrected = name, True
            if "family" in correction and correction["family"] != instrument.family:
                check_family(correction["family"])
                instrument.family, instrument.family_corrected = correction["family"], True
            library.revision += (instrument.name, instrument.family) != before
        self._follow(library)
        return instrument_info(instrument)

    def remove_instrument(self, instrument_id: str) -> None:
        """Take an instrument away; `restore_instrument` brings it back. Raises InstrumentNotFound."""
        with self.catalog.write() as session:
            instrument = find_instrument(session, instrument_id)
            library = session.get_one(Library, instrument.library_id)
            instrument.deleted_at = _now()
            library.revision += 1
        self._follow(library)
        self.purge()

    def restore_instrument(self, instrument_id: str) -> InstrumentInfo:
        """Bring a deleted instrument back; one that is there is given as it is.

        Raises InstrumentNotFound if there is no such instrument (any more) or its library is deleted, InstrumentExists
        if its name was taken meanwhile, EncoderMismatch if its library was enrolled with another encoder meanwhile.
        """
        with self.catalog.write() as session:
            instrument = session.scalars(select(Instrument).where(Instrument.id == instrument_id)).first()
            library = session.get(Library, instrument.library_id) if instrument else None
            if instrument is None or library is None or library.deleted_at is not None:
                raise _no_instrument(instrument_id)
            if not self._can_restore(instrument.deleted_at):
                raise _no_instrument(instrument_id)
            if instrument.deleted_at is not None:
                check_instrument_name(session, library, instrument.name)
                if not count_instruments(session, library.id):
                    library.encoder_hash = instrument.encoder_hash
                elif instrument.encoder_hash != library.encoder_hash:
                    raise EncoderMismatch(
                        f"{instrument.name!r} was embedded with another encoder than its library now is",
                        value=instrument.encoder_hash,
                        limit=library.encoder_hash,
                    )
                instrument.deleted_at = None
                library.revision += 1
        self._follow(library)
        return instrument_info(instrument)

    def purge(self) -> None:
        """Delete for good, with its files, what was deleted too long ago to be restored."""
        horizon = _now() - timedelta(seconds=self.undo_seconds)
        old_libraries, old = Library.deleted_at <= horizon, Instrument.deleted_at <= horizon
        with self.catalog.session() as session:
            libraries = session.scalars(select(Library.id).where(old_libraries)).all()
            if not libraries and session.scalars(select(Instrument.id).where(old).limit(1)).first() is None:
                return
        with self.catalog.write() as session:
            within = Instrument.library_id.in_(select(Library.id).where(old_libraries))
            gone = _delete(session, old_libraries, within | old)
        self._remove_files(*gone)

    def preview_file(self, instrument_id: str) -> Path:
        """Where an instrument's mp3 belongs, whether or not it is there."""
        return self.previews_dir / f"{instrument_id}.mp3"

    def _can_restore(self, deleted_at: datetime | None) -> bool:
        return deleted_at is None or deleted_at > _now() - timedelta(seconds=self.undo_seconds)

    def _follow(self, library: Library) -> None:
        """Bring the vectors in line with a change that is stored already, whatever becomes of them."""
        if library.encoder_hash != self.encoder_hash:
            return
        try:
            self.vectors.get(library.id, library.revision)
        except IndexDamaged as error:  # the other libraries can be used
            log.error("library %r cannot be searched: %s", library.name, error)
        except LibraryNotFound:
            log.info("library %r was deleted meanwhile", library.name)

    def _remove_files(self, library_ids: list[str], instrument_ids: list[str]) -> None:
        for instrument_id in instrument_ids:
            self.preview_file(instrument_id).unlink(missing_ok=True)
        for library_id in library_ids:
            self.vectors.forget(library_id)

    def _sweep(self) -> None:
        """Remove what a killed process left behind: temporary files, previews and vectors that belong to nothing."""
        horizon = time.time() - LEFTOVER_SECONDS
        with self.catalog.session() as session:
            known = {*session.scalars(select(Instrument.id)), *session.scalars(select(Library.id))}
        for folder in (self.tmp_dir, self.previews_dir, self.vectors_dir):
            for path in folder.iterdir():
                if path.stem in known or path.stat().st_mtime >= horizon:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _delete(
    session: Session, libraries: ColumnElement[bool], instruments: ColumnElement[bool]
) -> tuple[list[str], list[str]]:
    """Delete these rows, clips and all, and return the ids of the libraries and of the instruments."""
    instrument_ids = session.scalars(delete(Instrument).where(instruments).returning(Instrument.id)).all()
    library_ids = session.scalars(delete(Library).where(libraries).returning(Library.id)).all()
    return list(library_ids), list(instrument_ids)


def _no_instrument(instrument_id: str) -> InstrumentNotFound:
    shown = instrument_id[:100]
    return InstrumentNotFound(f"there is no instrument {shown!r} to restore", value=shown)


def _now() -> datetime:
    return datetime.now(UTC)
