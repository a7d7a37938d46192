"""The folders that libraries of the service follow: each in a thread, which asks for a job where something has changed.

One process follows a folder at a time (`index/leases.py`); the folders of a process that has ended are taken over.
"""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from app.engine import Engine
from app.heartbeat import Heartbeat
from app.job_store import BEATS_PER_LEASE, JobView
from app.jobs import JobRunner
from app.tasks import FollowTask
from index.records import LibraryInfo
from index.source_finder import check_readable, check_root
from index.watching.folder_look import FolderLook, FolderLooker
from index.watching.folder_scan import check_watchable
from index.watching.folder_sync import FolderSync
from index.watching.following import FolderFollower
from index.watching.watch_store import WatchView
from models.error_kind import kind_of
from models.errors import ShowMeError, WatchNotFound

log = logging.getLogger("showme")
POLL_SECONDS = 0.2  # between two looks at a job
STOP_SECONDS = 2.0  # that the end of the service waits for a thread, which may be reading a large file


class _Follower:
    """The thread that follows one folder."""

    def __init__(self, watch: WatchView) -> None:
        self.watch = watch
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None


class FolderWatches:
    """Adds and ends watches, and follows those that no other process does."""

    def __init__(self, engine: Engine, jobs: JobRunner, roots: Sequence[Path] | None) -> None:
        """`roots` are the folders below which folders are read that others have added; None: anywhere."""
        self._engine = engine
        self._store = engine.watches
        self._jobs = jobs
        self._roots = roots
        self._lock = threading.Lock()
        self._followers: dict[str, _Follower] = {}
        self._is_stopping = False
        self._heartbeat = Heartbeat(self.beat, self._store.lease_seconds / BEATS_PER_LEASE)

    def start(self) -> None:
        """Follow all watches that no living process follows, and later those whose process has ended."""
        self.beat()
        self._heartbeat.start()

    def stop(self) -> None:
        """End the threads. The watches stay this process's until `release`: a job may still work for them."""
        self._heartbeat.stop()
        with self._lock:
            self._is_stopping = True
            followers = list(self._followers.values())
        for follower in followers:
            follower.stop.set()
        for follower in followers:
            if follower.thread:
                follower.thread.join(STOP_SECONDS)

    def release(self) -> None:
        """Leave the watches to other processes."""
        for watch_id in self._followers:
            self._release(watch_id)

    def beat(self) -> None:
        """Renew the leases of the watches that are followed, leave those that were ended or taken over, and take free ones."""
        with self._lock:
            if self._is_stopping:
                return
            if self._followers:
                held = self._store.renew(self._followers)
                for watch_id in self._followers.keys() - held:
                    self._followers.pop(watch_id).stop.set()
            for watch in self._store.take_free():
                if watch.id not in self._followers:
                    self._start(watch)

    def add(self, library: LibraryInfo, path: Path, key_id: str | None = None) -> WatchView:
        """Let a library follow a folder of this machine, below the folders that the settings name.

        Raises SourceForbidden, SourceError, and InvalidRequest for a folder inside of another one that it follows.
        """
        found = check_root(path, self._engine.settings.source_roots)
        check_watchable(found)
        watch = self._store.add(library.id, found, in_service=True, key_id=key_id)
        self.beat()
        return self._store.get(watch.id)

    def of(self, library: LibraryInfo) -> list[WatchView]:
        """Return the watches of a library, the oldest first."""
        return self._store.all(library.id)

    def skipped(self, watch: WatchView) -> list[tuple[str, str]]:
        """Return what lies in the folder and is not in the library, with the reasons."""
        entries = self._store.entries(watch.id).values()
        return sorted((entry.path, entry.fault) for entry in entries if entry.fault)

    def job_of(self, watch: WatchView) -> JobView | None:
        """Return the queued or running job that lets the library follow the folder, in whichever process."""
        jobs = self._jobs.alive(watch.library_id, "watch")
        return next((job for job in jobs if job.source_path == str(watch.path)), None)

    def remove(self, library: LibraryInfo, path: Path | None = None) -> None:
        """End the watch of a folder, or all of a library; its instruments stay. Raises WatchNotFound if there is none."""
        found = [watch for watch in self.of(library) if path in (None, watch.path)]
        if not found:
            named = f"{library.name!r} follows no folder" + (f" {path}" if path else "")
            raise WatchNotFound(named, value=str(path) if path else None)
        for watch in found:
            self._store.remove(watch.id)
        self.beat()

    def resume(self, view: JobView) -> FollowTask | None:
        """Return the task that goes on with an interrupted job; None if the watch is ended. Raises JobConflict."""
        watches = self._store.all(view.library_id) if view.library_id else []
        for watch in watches:
            if str(watch.path) == view.source_path:
                self._store.take(watch.id)
                return self._task(watch, view.total)
        return None

    def _start(self, watch: WatchView) -> None:
        follower = _Follower(watch)
        follower.thread = threading.Thread(target=self._follow, args=(follower,), name="watch", daemon=True)
        self._followers[watch.id] = follower
        follower.thread.start()

    def _follow(self, follower: _Follower) -> None:
        """Follow until the end. A fault that is not expected ends the thread, and the next beat starts another one."""
        watch, settle_seconds = follower.watch, self._engine.settings.settle_seconds
        looker = self._looker(watch, follower.stop)
        run = partial(self._run, watch, follower.stop)
        try:
            quietly = FolderFollower(self._store, watch, looker, run, lambda line: None, settle_seconds)
            # Its lines hold names of files: they stay in the watch and its jobs, out of the log.
            quietly.follow(follower.stop)
        except ShowMeError as error:
            log.info("watch %s ends: %s", watch.id, kind_of(error))
        except Exception:
            log.exception("watch %s failed", watch.id)
        with self._lock:
            if self._is_stopping or self._followers.get(watch.id) is not follower:
                return
            del self._followers[watch.id]
        self._release(watch.id)

    def _run(self, watch: WatchView, stop: threading.Event, look: FolderLook) -> str | None:
        """Ask for a job, wait for its end, and return why it did not do its work, if so. Raises EncoderMismatch."""
        self._engine.index.check_encoder(self._engine.index.libraries.get(watch.library_id))
        plan = look.plan
        job = self.job_of(watch) or self._jobs.submit(
            watch.library_id,
            self._task(watch, len(plan.added) + len(plan.changed)),
            by_itself=True,
            key_id=watch.key_id,
        )
        while not job.finished and not stop.wait(POLL_SECONDS):
            job = self._jobs.view(job.id)
        if not job.finished:
            return "the service was stopped meanwhile"
        return None if job.state == "done" else job.message

    def _release(self, watch_id: str) -> None:
        with suppress(ShowMeError):  # then its lease expires
            self._store.release(watch_id)

    def _task(self, watch: WatchView, total: int) -> FollowTask:
        engine = self._engine
        sync = FolderSync(engine.index, engine.pair, engine.opener, self._store, watch)
        return FollowTask(sync, self._looker(watch), total, str(watch.path))

    def _looker(self, watch: WatchView, stop: threading.Event | None = None) -> FolderLooker:
        wait = (stop or threading.Event()).wait
        check = partial(check_readable, self._engine.index.folder, watch.path, self._roots)
        return FolderLooker(self._store, watch, self._engine.settings.settle_seconds, wait, check)
