"""Updates libraries that another encoder has embedded, as after an upgrade: by themselves on start, or when asked.

The work is `index/reembed.py`; a library that is not ready for it, or not ready because of it, is refused in words.
"""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from app.default_library import DefaultLibrary, is_default
from app.job_store import JobView
from app.jobs import JobRunner
from app.tasks import ReembedTask
from index.instrument_index import InstrumentIndex
from index.records import LibraryInfo
from index.sources.opening import SourceOpener
from models.encoder_pair import EncoderPair
from models.errors import Busy, JobConflict, LibraryNotFound

log = logging.getLogger("showme")


class LibraryUpdates:
    """Queues re-embeddings: at most one for each library at a time."""

    def __init__(
        self,
        index: InstrumentIndex,
        pair: EncoderPair,
        jobs: JobRunner,
        default: DefaultLibrary | None,
        opener: SourceOpener,
        roots: Sequence[Path] | None,
    ) -> None:
        """`roots` are the folders below which sources outside the data folder are read; None: anywhere."""
        self._index = index
        self._pair = pair
        self._jobs = jobs
        self._default = default
        self._opener = opener
        self._roots = roots

    def start_all(self) -> None:
        """Queue every stale library, the default one first, then the oldest."""
        stale = [library for library in self._index.libraries.all() if library.num_stale]
        for library in sorted(stale, key=lambda library: not is_default(library, self._default)):
            log.info("library %s was embedded with another encoder and is updated", library.id)
            self.update(library, by_itself=True)

    def update(self, library: LibraryInfo, *, by_itself: bool = False, key_id: str | None = None) -> JobView:
        """Return the job that updates the library, in whichever process, queued if there is none. Raises Busy."""
        if job := self.job_of(library):
            return job
        with nullcontext() if by_itself else self._jobs.admit():
            try:
                task = self._task(library)
                return self._jobs.submit(library.id, task, by_itself=by_itself, alone=True, key_id=key_id)
            except JobConflict as other:
                return self._jobs.view(str(other.value))

    def resume(self, view: JobView) -> ReembedTask | None:
        """Return the task of a job that a process began which has ended, None if it cannot go on."""
        if view.kind != "reembed" or view.library_id is None:
            return None
        try:
            return self._task(self._index.libraries.get(view.library_id))
        except LibraryNotFound:
            return None

    def job_of(self, library: LibraryInfo) -> JobView | None:
        """Return the queued or running job that updates a library; those of other processes only while it is stale."""
        find = self._jobs.alive if library.num_stale else self._jobs.in_flight
        return next(iter(find(library.id, "reembed")), None)

    def check_ready(self, library: LibraryInfo) -> None:
        """Raise Busy while a stale library is being updated, EncoderMismatch if it waits for somebody to ask for it."""
        job = self.job_of(library) if library.state == "stale" else None
        if job:
            message = (
                f"library {library.name!r} is being updated for another encoder: {job.done} of {job.total}"
            )
            raise Busy(message, value=job.done, limit=job.total)
        self._index.check_encoder(library)

    def _task(self, library: LibraryInfo) -> ReembedTask:
        return ReembedTask(
            self._index, self._pair, library.id, self._default, self._opener, library.num_stale, self._roots
        )
