"""Resumable uploads: large files for a library that arrive in pieces, over a broken connection or several days.

The service's side of tus 1.0.0 (core, creation, expiration, termination; https://tus.io/protocols/resumable-upload). A row says
whose an upload is and how large it will be; the size of its file on the disk says how much has arrived, after a kill too.
"""

import base64
import binascii
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from app.settings import Settings
from app.staging import StagedUploads
from app.uploads import COLLECTIONS, Upload, upload_name
from index.catalog import Catalog
from index.declarative import new_id
from index.disk import free_bytes, nearly_full
from index.incoming import ResumableUpload
from index.libraries import DataFolder, utc_now
from index.sources.folder import AUDIO_SUFFIXES
from models.errors import (
    AudioTooLarge,
    Busy,
    InvalidRequest,
    UnsupportedAudio,
    UploadConflict,
    UploadNotFound,
)

_FILE = "received"  # the name of the file in the folder of an upload


class UploadView(NamedTuple):
    """An upload of which `offset` of `num_bytes` have arrived; `described` is the Upload-Metadata that it was created with."""

    id: str
    key_id: str | None
    file_name: str
    described: str
    num_bytes: int
    offset: int
    expires_at: datetime


def no_upload(upload_id: str) -> UploadNotFound:
    """Return the error of an upload that is not there, or must not be known to be."""
    message = f"there is no upload {upload_id[:100]!r}; it may have expired"
    return UploadNotFound(message, value=upload_id[:100])


def described_name(described: str) -> str:
    """Return the `filename` of an Upload-Metadata header. Raises InvalidRequest without one."""
    for pair in described.split(","):
        name, _, value = pair.strip().partition(" ")
        if name == "filename" and value:
            try:
                return upload_name(base64.b64decode(value, validate=True).decode())
            except (binascii.Error, UnicodeDecodeError):
                break
    message = "the header Upload-Metadata must name the file: `filename` and its name in base64"
    raise InvalidRequest(message, value=described[:100], limit="filename <base64>")


class ResumableUploads:
    """Creates, continues and ends uploads. Their bytes count as staged from their creation on."""

    def __init__(
        self, catalog: Catalog, folder: DataFolder, staged: StagedUploads, settings: Settings
    ) -> None:
        """Count the uploads that are not enrolled yet, and give up those that have expired."""
        self._catalog = catalog
        self._folder = folder
        self._staged = staged
        self._settings = settings
        self._counted: set[str] = set()
        self.sweep()

    def create(self, num_bytes: int, described: str, key_id: str | None) -> UploadView:
        """Begin an upload of a key. Nothing is written for one that would be refused later.

        Raises InvalidRequest and UnsupportedAudio for its name, AudioTooLarge, StorageFull, and Busy for too many uploads.
        """
        file_name = described_name(described)
        self._check_file(file_name, num_bytes)
        upload_id = new_id("u")
        place = self._folder.uploads_dir / upload_id
        self._staged.take(place, num_bytes)
        try:
            with self._catalog.write() as session:
                self._check_share(session, key_id, num_bytes)
                row = ResumableUpload(
                    id=upload_id,
                    key_id=key_id,
                    file_name=file_name,
                    described=described,
                    num_bytes=num_bytes,
                    expires_at=self._expiry(),
                )
                session.add(row)
                session.flush()
                place.mkdir()
                (place / _FILE).touch()
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            self._staged.release(place)
            raise
        self._counted.add(upload_id)
        return _view(row, 0)

    def view(self, upload_id: str) -> UploadView:
        """Return the present state of an upload. Raises UploadNotFound, also for one that has expired."""
        with self._catalog.session() as session:
            row = session.get(ResumableUpload, upload_id)
        try:
            if row is not None and row.expires_at > utc_now():
                return _view(row, self._path(upload_id).stat().st_size)
        except FileNotFoundError:
            pass
        raise no_upload(upload_id)

    def extend(self, upload: UploadView) -> datetime:
        """Put the expiry of an upload off, and return it."""
        expires_at = self._expiry()
        with self._catalog.write() as session:
            changed = update(ResumableUpload).where(ResumableUpload.id == upload.id)
            session.execute(changed.values(expires_at=expires_at))
        return expires_at

    async def append(self, upload: UploadView, offset: int, piece: AsyncIterator[bytes]) -> int:
        """Write a piece at `offset`, and return the offset behind it. Whatever has arrived stays, if `piece` raises too.

        Raises UploadConflict where the upload is at another offset, is being written, or would become larger than announced;
        UploadNotFound if it was cancelled meanwhile.
        """
        with _locked(self._path(upload.id), upload.id) as file:
            present = os.fstat(file.fileno()).st_size
            if offset != present:
                message = f"the upload is at byte {present}, and the piece begins at {offset}"
                raise UploadConflict(message, value=offset, limit=present)
            async for chunk in piece:
                if present + len(chunk) > upload.num_bytes:
                    message = f"the piece goes beyond the {upload.num_bytes} bytes that were announced"
                    raise UploadConflict(message, value=present + len(chunk), limit=upload.num_bytes)
                await to_thread.run_sync(_write, file, chunk)
                present += len(chunk)
            await to_thread.run_sync(os.fsync, file.fileno())
            return present

    def complete(self, upload: UploadView) -> Upload:
        """Open an upload of which all bytes have arrived. Raises UploadConflict for another one."""
        if upload.offset < upload.num_bytes:
            arrived = f"{upload.offset} of the {upload.num_bytes} bytes of {upload.file_name} have arrived"
            raise UploadConflict(
                f"{arrived}; send the others first", value=upload.offset, limit=upload.num_bytes
            )
        path = self._path(upload.id)
        return Upload(upload.file_name, path.open("rb"), path)

    def forget(self, session: Session, upload: UploadView) -> None:
        """Delete the row, in the transaction that enrolls the upload. Raises UploadNotFound if another request was quicker."""
        gone = delete(ResumableUpload).where(ResumableUpload.id == upload.id)
        if not session.scalars(gone.returning(ResumableUpload.id)).all():
            raise no_upload(upload.id)

    def remove(self, upload_id: str) -> None:
        """Remove the file of an upload that has no row any more; an enrollment has a link of its own to it."""
        place = self._folder.uploads_dir / upload_id
        shutil.rmtree(place, ignore_errors=True)
        self._staged.release(place)
        self._counted.discard(upload_id)

    def cancel(self, upload: UploadView) -> None:
        """Give up an upload. Raises UploadNotFound if it is gone."""
        with self._catalog.deleting() as session:
            self.forget(session, upload)
        self.remove(upload.id)

    def sweep(self) -> None:
        """Give up the uploads that have expired, and count those of all processes."""
        with self._catalog.session() as session:
            sizes = dict(session.execute(select(ResumableUpload.id, ResumableUpload.num_bytes)).all())
            expired = session.scalars(select(ResumableUpload.id).where(_expired())).all()
        if expired:
            with self._catalog.deleting() as session:
                session.execute(delete(ResumableUpload).where(ResumableUpload.id.in_(expired), _expired()))
        for upload_id in {*expired, *self._counted.difference(sizes)}:
            sizes.pop(upload_id, None)
            self.remove(upload_id)
        for upload_id, num_bytes in sizes.items():
            self._staged.keep(self._folder.uploads_dir / upload_id, num_bytes)
        self._counted.update(sizes)

    def _check_file(self, file_name: str, num_bytes: int) -> None:
        suffix, accepted = Path(file_name).suffix.lower(), (*AUDIO_SUFFIXES, *COLLECTIONS)
        if suffix not in accepted:
            message, limit = f"{file_name} cannot be enrolled", " ".join(accepted)
            raise UnsupportedAudio(f"{message}; send one of {limit}", value=suffix or file_name, limit=limit)
        most = self._settings.max_library_bytes
        if num_bytes > most:
            message = f"{file_name} has {num_bytes} bytes; an upload for a library may have {most} (SHOWME_MAX_LIBRARY_BYTES)"
            raise AudioTooLarge(message, value=num_bytes, limit=most)
        left = free_bytes(self._folder.root) - num_bytes
        if left < self._settings.min_free_bytes:
            raise nearly_full(self._settings.min_free_bytes, left)

    def _check_share(self, session: Session, key_id: str | None, num_bytes: int) -> None:
        """Raise Busy if a key would have too many uploads, or bytes of them, that are not enrolled yet."""
        own = ResumableUpload.key_id.is_not_distinct_from(key_id)
        counted = select(func.count(), func.coalesce(func.sum(ResumableUpload.num_bytes), 0)).where(own)
        number, total = session.execute(counted).one()
        most, total = self._settings.max_resumable_uploads, int(total) + num_bytes
        if number >= most:
            message = f"{number} uploads are begun and not enrolled yet; finish or cancel one first"
            raise Busy(message, value=number, limit=most)
        if total > self._settings.max_resumable_bytes:
            message = f"the uploads that are begun and not enrolled yet would have {total} bytes; finish or cancel one first"
            raise Busy(message, value=total, limit=self._settings.max_resumable_bytes)

    def _path(self, upload_id: str) -> Path:
        return self._folder.uploads_dir / upload_id / _FILE

    def _expiry(self) -> datetime:
        return utc_now() + timedelta(seconds=self._settings.resumable_seconds)


def _expired() -> ColumnElement[bool]:
    return ResumableUpload.expires_at <= utc_now()


def _view(row: ResumableUpload, offset: int) -> UploadView:
    return UploadView(row.id, row.key_id, row.file_name, row.described, row.num_bytes, offset, row.expires_at)


@contextmanager
def _locked(path: Path, upload_id: str) -> Iterator[FileIO]:
    """Open a file for appending, and lock it against other requests and processes. Raises UploadConflict, UploadNotFound."""
    try:
        file = FileIO(path, "r+")
    except FileNotFoundError:
        raise no_upload(upload_id) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = "another request is writing to the upload; ask where it is, and try again"
            raise UploadConflict(message, value=upload_id, limit="one request at a time") from None
        file.seek(0, os.SEEK_END)
        yield file


def _write(file: FileIO, data: bytes) -> None:
    """Write all bytes: the system may take fewer at once."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
