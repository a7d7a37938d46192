"""The running service: an engine with a queue for queries, a runner of jobs and metrics, opened and closed as one.

It lives on `app.state.service`; routes get it through `app/deps.py`.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.orm import Session

from app.access.authenticator import Authenticator
from app.access.keys import AccessKeys
from app.access.ownership import Access, Caller
from app.access.request_rate import RequestRate
from app.default_library import (
    check_default_is_kept,
    check_default_keeps_its_name,
    check_default_stays_shared,
)
from app.describing import PreviewMeasuring
from app.engine import Engine
from app.enrollments import Enrollments
from app.gauges import ServiceGauges
from app.idempotency import AnsweredKeys
from app.job_store import JobView, Storing
from app.jobs import JobRunner, Listener
from app.listening import Listening
from app.memory import release_free_memory
from app.metrics import Metrics
from app.part_rendering import PartRenderer
from app.query_queue import QueryQueue
from app.question import Question
from app.resumable import ResumableUploads, UploadView
from app.settings import Settings, keys_required
from app.tasks import Task
from app.updates import LibraryUpdates
from app.uploads import Upload
from app.watches import FolderWatches
from index.disk import free_bytes, nearly_full
from index.records import InstrumentInfo, LibraryInfo
from index.source_files import SourceFiles
from index.watching.watch_store import WatchView
from models.encoder_pair import EncoderPair
from models.errors import Busy, IndexDamaged, JobConflict, ShowMeError, StorageFull


class Service:
    """One data folder being served with one pair of encoders."""

    def __init__(
        self, settings: Settings, pair: EncoderPair, metrics: Metrics, listeners: Sequence[Listener] = ()
    ) -> None:
        """Open the data folder. In the background, fill the default library and update those of another encoder."""
        self.settings = settings
        self.pair = pair
        self.metrics = metrics
        self.engine = Engine(settings, pair)
        self.default = self.engine.default
        self.index = self.engine.index
        self.queries = self.engine.queries
        self.request_rate = RequestRate(
            settings.key_requests_per_minute,
            counts_unkeyed="key_requests_per_minute" in settings.model_fields_set,
        )
        self.queue = QueryQueue(
            settings.max_waiting_queries,
            settings.max_audio_seconds,
            settings.decode_workers,
            max_of_key=settings.max_waiting_queries_per_key,
            rate=self.request_rate,
        )
        self.keys = AnsweredKeys(self.index.catalog)
        self.access_keys = AccessKeys(self.index.catalog, settings.session_seconds)
        self.authenticator = Authenticator(self.access_keys)
        self.keys_required = keys_required(settings)
        self.listening = Listening(self.engine, self.queue, self.keys, metrics, self._queried_library)
        self.jobs = JobRunner(self.engine.jobs, settings.max_waiting_jobs, [metrics.job, *listeners])
        roots = settings.source_roots or (() if self.keys_required else None)
        opener = self.engine.opener
        self.renderer = PartRenderer(self.engine, roots)
        self._source_files = SourceFiles(self.index.catalog, self.index.folder, opener, roots)
        self.updates = LibraryUpdates(self.index, pair, self.jobs, self.default, opener, roots)
        self.enrollments = Enrollments(
            self.index, pair, self.jobs, self.engine.jobs, self.default, opener, settings, roots
        )
        self.uploads = ResumableUploads(
            self.index.catalog, self.index.folder, self.enrollments.staged, settings
        )
        self.watches = FolderWatches(self.engine, self.jobs, roots)
        self._measuring = PreviewMeasuring(self.index, self.engine.decoding)
        self.engine.decoding.warm()
        self.queries.sweep()
        self.index.catalog.reserve.hold()
        self.jobs.start(self._resume)
        self.first_fill = self._fill_default()
        if settings.update_libraries:
            self.updates.start_all()
        self.watches.start()
        gauges = ServiceGauges(
            self.index,
            pair,
            self.queue,
            self.jobs,
            self.enrollments.staged,
            self.engine.decoding.stopped,
            names_libraries=not self.keys_required,
        )
        metrics.registry.register(gauges)
        self._measuring.start()

    def close(self) -> None:
        """Interrupt the jobs and close the data folder."""
        self.watches.stop()
        self.jobs.stop()
        self.watches.release()
        self._measuring.stop()
        self.queue.close()
        with suppress(Busy, StorageFull, IndexDamaged):  # when keys were last used is not worth a fault
            self.access_keys.sweep()
        self.engine.close()

    def check_queue(self, path: str, caller: Caller) -> None:
        """Raise Busy or TooManyRequests where an upload to `path` would find no place for its query or its enrollment."""
        if path.startswith(("/v1/queries", "/v1/recognise", "/v1/similar")):
            self.queue.check_place(caller.key_id)
        elif path.startswith("/v1/libraries"):
            self.request_rate.check(caller.key_id)
            self.jobs.check_place()

    def enroll_uploads(
        self,
        library: LibraryInfo,
        uploads: Sequence[Upload],
        storing: Storing | None = None,
        key_id: str | None = None,
    ) -> JobView:
        """Queue the enrollment of files, as `Enrollments.add_uploads` does. Raises Busy, TooManyRequests, EncoderMismatch."""
        self.updates.check_ready(library)
        self.request_rate.take(key_id)
        return self.enrollments.add_uploads(library, uploads, storing, key_id)

    def enroll_resumable(
        self,
        library: LibraryInfo,
        upload: UploadView,
        storing: Storing | None = None,
        key_id: str | None = None,
    ) -> JobView:
        """Queue the enrollment of a complete resumable upload, which ends with it; one that is refused stays.

        Raises as `enroll_uploads` does, UploadConflict before all of it has arrived, and UploadNotFound.
        """

        def ending(session: Session, view: JobView) -> None:
            self.uploads.forget(session, upload)
            if storing:
                storing(session, view)

        complete = self.uploads.complete(upload)
        with complete.file:
            job = self.enroll_uploads(library, [complete], ending, key_id)
        self.uploads.remove(upload.id)
        return job

    def enroll_path(
        self, library: LibraryInfo, path: Path, storing: Storing | None = None, key_id: str | None = None
    ) -> JobView:
        """Queue the enrollment of a path of this machine, as `Enrollments.add_path` does. Raises Busy, EncoderMismatch."""
        self.updates.check_ready(library)
        return self.enrollments.add_path(library, path, storing, key_id)

    def watch(self, library: LibraryInfo, path: Path, key_id: str | None = None) -> WatchView:
        """Let a library follow a folder of this machine, as `FolderWatches.add` does. Raises Busy, EncoderMismatch."""
        self.updates.check_ready(library)
        return self.watches.add(library, path, key_id)

    def sweep(self) -> None:
        """Purge old deletions, remove what killed processes left behind, measure what was imported, and free memory."""
        self.uploads.sweep()
        self.index.sweep(in_use=self.enrollments.staged.names)
        self.queries.sweep()
        self.keys.sweep()
        self.access_keys.sweep()
        self.index.catalog.reserve.hold()
        self._measuring.start()
        release_free_memory()

    def is_valid(self, caller: Caller) -> bool:
        """Whether the key of a caller still opens the service."""
        return caller.key_id is None or self.access_keys.is_valid(caller.key_id)

    def delete_library(self, library: LibraryInfo) -> None:
        """Delete a library, restorable for a while.

        Raises LibraryNotFound, LibraryKept for the default library, and JobConflict during an enrollment into it, in whichever
        process.
        """
        check_default_is_kept(library, self.default)
        update = self.updates.job_of(library)
        self.index.libraries.delete(library.id)
        if update:
            with suppress(JobConflict):  # it has ended meanwhile, or is another process's, and fails there
                self.jobs.cancel(update.id)

    def change_library(self, library: LibraryInfo, name: str | None, shared: bool | None) -> LibraryInfo:
        """Rename or share a library. Raises LibraryNotFound, LibraryExists, and InvalidRequest for the default library."""
        if name is not None:
            check_default_keeps_its_name(library, name, self.default)
        if shared is False:
            check_default_stays_shared(library, self.default)
        return self.index.libraries.change(library.id, name, shared=shared)

    def filling(self) -> JobView | None:
        """Return the job that makes the default library ready, until it is; a failed one stays. None when there is none."""
        view = self.jobs.view(self.first_fill) if self.first_fill else None
        if view is None or self.default is None or view.state == "done":
            return None
        library = self.default.find(self.index) if view.finished else None
        is_mended = library is not None and library.num_instruments and library.state != "stale"
        return None if is_mended else view

    def source_files(self, instrument: InstrumentInfo) -> list[Path]:
        """Return the files that an instrument was enrolled from. Raises SourceNotKept with the reason."""
        library = self.index.libraries.get(instrument.library_id)
        return self._source_files.of(instrument.id, self.default.given_for(library) if self.default else [])

    def storage_fault(self) -> ShowMeError | None:
        """Return why nothing can be stored; None while the data folder can be written and has room for uploads."""
        root, least = self.index.folder.root, self.settings.min_free_bytes
        try:
            free = free_bytes(root)
        except OSError as error:
            return IndexDamaged(f"the data folder cannot be reached: {error.strerror}", value=error.strerror)
        if not os.access(root, os.W_OK):
            return IndexDamaged("the data folder cannot be written", value="read-only", limit="writable")
        return nearly_full(least, free) if free < least else None

    def _queried_library(self, question: Question, access: Access) -> LibraryInfo:
        filling = self.filling()
        asks_default = question.library in (None, "", self.default and self.default.name)
        if filling and not filling.finished and filling.kind == "enroll" and asks_default:
            progress = f"{filling.done} of {filling.total}"
            raise Busy(
                f"the default library is still being enrolled: {progress}",
                value=filling.done,
                limit=filling.total,
            )
        library = self.engine.answerer.library(question, access)
        self.updates.check_ready(library)
        return library

    def _fill_default(self) -> str | None:
        """Queue what makes the default library ready; return the id of its job."""
        if self.default is None:
            return None
        if filling := self.enrollments.fill_default():
            return filling
        stale = self.default.find(self.index)
        if stale is None or stale.state != "stale":
            return None
        if self.settings.update_libraries:
            return self.updates.update(stale, by_itself=True).id
        resumed = self.updates.job_of(stale)
        return resumed.id if resumed else None

    def _resume(self, view: JobView) -> Task | None:
        """Return the task that goes on with an interrupted job, None if it cannot go on. Raises LibraryNotFound."""
        if view.kind == "reembed":
            return self.updates.resume(view)
        if view.kind == "watch":
            return self.watches.resume(view)
        library = self.index.libraries.get(view.library_id or "")
        updates_first = library.state == "stale" and self.settings.update_libraries
        if updates_first:
            self.updates.update(library, by_itself=True)
        return self.enrollments.resume(view, updates_first=updates_first)
