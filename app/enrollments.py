"""Enrollments of the service: of uploads and of the default library, and how they go on after a restart.

An upload stays staged in `uploads/` until its job has ended; the job names it as what it goes on from.
"""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from app.default_library import DefaultLibrary, is_default
from app.job_store import JobStore, JobView, Storing
from app.jobs import JobRunner
from app.settings import Settings
from app.staging import StagedUploads
from app.tasks import EnrollTask
from app.uploads import Upload, size_of, stage
from index.declarative import new_id
from index.decoding.remote_source import DecodingOpener
from index.instrument_index import InstrumentIndex
from index.records import LibraryInfo
from index.source_finder import check_root, open_stored
from index.sources.base import InstrumentSource
from models.encoder_pair import EncoderPair
from models.errors import JobConflict


class Enrollments:
    """Queues enrollments, and makes the tasks that go on with interrupted ones."""

    def __init__(
        self,
        index: InstrumentIndex,
        pair: EncoderPair,
        jobs: JobRunner,
        store: JobStore,
        default: DefaultLibrary | None,
        opener: DecodingOpener,
        settings: Settings,
        roots: Sequence[Path] | None,
    ) -> None:
        """`roots` are the folders below which sources outside the data folder are read; None: anywhere."""
        self.staged = StagedUploads(settings.max_staged_bytes)
        self._index = index
        self._pair = pair
        self._jobs = jobs
        self._store = store
        self._default = default
        self._opener = opener
        self._settings = settings
        self._roots = roots

    def add_uploads(
        self,
        library: LibraryInfo,
        uploads: Sequence[Upload],
        storing: Storing | None = None,
        key_id: str | None = None,
    ) -> JobView:
        """Store the files and queue their enrollment for `key_id`. Unless the settings say not to, they are kept.

        `storing` is called in the transaction that creates the job. Raises Busy before anything is written when too many
        enrollments wait, or too many bytes of them.
        """
        folder = self._index.folder.uploads_dir / new_id("u")
        with self._jobs.admit():
            try:
                self.staged.take(folder, sum(size_of(upload) for upload in uploads if upload.path is None))
                folder.mkdir()
                take = partial(self.staged.take, folder)
                source = stage(uploads, folder, self._settings, self._opener, take)
                self.staged.keep(folder)
                task = self._upload_task(library.id, folder, lambda: source, len(source))
                return self._jobs.submit(library.id, task, storing=storing, key_id=key_id)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                self.staged.release(folder)
                raise

    def add_path(
        self, library: LibraryInfo, path: Path, storing: Storing | None = None, key_id: str | None = None
    ) -> JobView:
        """Queue the enrollment of a file or folder of this machine, below the folders that the settings name.

        A job of it that ended early goes on. Raises SourceForbidden, SourceError, Busy, and JobConflict while a job adds it.
        """
        stored = self._index.folder.stored_path(check_root(path, self._settings.source_roots))
        if running := [one for one in self._jobs.alive(library.id, "enroll") if one.source_path == stored]:
            message = f"job {running[0].id} is adding {path} to {library.name!r} already"
            raise JobConflict(message, value=running[0].id, limit="one job for each path")
        with self._jobs.admit():
            source = open_stored(self._index.folder, stored, self._opener, self._roots)
            task = EnrollTask(
                self._index, self._pair, library.id, lambda: source, len(source), Path(stored), stored
            )
            return self._jobs.submit(library.id, task, storing=storing, key_id=key_id, going_on=True)

    def fill_default(self) -> str | None:
        """Queue what fills the default library unless it is filled; return the id of its job."""
        to_fill = self._default.to_fill(self._index, self._store) if self._default else None
        if to_fill is None:
            return None
        library, source = to_fill
        task = self._default_task(library.id, lambda: source, len(source))
        try:
            return self._jobs.submit(library.id, task, alone=True, going_on=True).id
        except JobConflict as other:  # it goes on after a restart, or another process is at it
            return str(other.value)

    def resume(self, view: JobView, *, updates_first: bool) -> EnrollTask | None:
        """Return the task that goes on with an interrupted enrollment; None for one of a version that stored all or nothing.

        Its source is opened when it is its turn. `updates_first`: its library is updated before it.
        """
        if view.source_path is None or view.library_id is None:
            return None
        library, stored = self._index.libraries.get(view.library_id), view.source_path
        default = self._default
        if default and is_default(library, default) and stored == default.stored_path(self._index):
            return self._default_task(library.id, default.open_source, view.total, updates_first)
        folder = self._index.folder
        path = folder.source_path(stored)
        opened = partial(open_stored, folder, stored, self._opener, self._roots)
        if path.is_relative_to(folder.uploads_dir):
            self.staged.keep(path)
            return self._upload_task(library.id, path, opened, view.total, updates_first)
        return EnrollTask(
            self._index, self._pair, library.id, opened, view.total, path, stored, after_updates=updates_first
        )

    def _upload_task(
        self,
        library_id: str,
        folder: Path,
        open_source: Callable[[], InstrumentSource],
        total: int,
        after_updates: bool = False,
    ) -> EnrollTask:
        def leave(has_ended: bool) -> None:
            self.staged.release(folder)
            if has_ended:
                self._index.libraries.discard_upload(folder)

        return EnrollTask(
            self._index,
            self._pair,
            library_id,
            open_source,
            total,
            folder if self._settings.keep_uploads else None,
            self._index.folder.stored_path(folder),
            leave,
            after_updates=after_updates,
        )

    def _default_task(
        self,
        library_id: str,
        open_source: Callable[[], InstrumentSource],
        total: int,
        after_updates: bool = False,
    ) -> EnrollTask:
        assert self._default is not None
        return EnrollTask(
            self._index,
            self._pair,
            library_id,
            open_source,
            total,
            self._default.path,
            self._default.stored_path(self._index),
            only_if_empty=True,
            after_updates=after_updates,
        )
