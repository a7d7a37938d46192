"""Follows a folder until it is told to stop: wakes up when something has changed, looks, and lets the library follow.

Changes come from the operating system (watchfiles). Where it tells none, as on some network disks, the regular look finds them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic

from watchfiles import watch

from index.watching.folder_look import FolderLook, FolderLooker
from index.watching.folder_scan import FolderGone
from index.watching.watch_store import WatchStore, WatchView
from models.errors import JobConflict, LibraryNotFound, ShowMeError, WatchNotFound

RESCAN_SECONDS = 300.0  # between two looks at a folder in which nothing seems to happen
CHECK_SECONDS = 1.0  # between two checks that the folder is still the same one
RETRY_SECONDS = 30.0  # after a fault that passes by itself
MS = 1000


class FolderFollower:
    """Follows the folder of one watch, which this process holds.

    `run` does what a look asks for and returns why it could not, if so; `tell` gets a line where something is at fault, or is
    right again.
    """

    def __init__(
        self,
        store: WatchStore,
        watch: WatchView,
        looker: FolderLooker,
        run: Callable[[FolderLook], str | None],
        tell: Callable[[str], None],
        settle_seconds: float,
    ) -> None:
        self._store = store
        self._watch = watch
        self._looker = looker
        self._run = run
        self._tell = tell
        self._settle_seconds = settle_seconds
        self._fault: str | None = watch.fault
        self._told: dict[str, str] = {}  # what cannot be read, and why

    def follow(self, stop: Event) -> None:
        """Follow until `stop`. Raises WatchNotFound, LibraryNotFound and JobConflict when there is no more to follow."""
        for _ in wake_ups(self._watch.path, stop, self._settle_seconds):
            while (again := self.look_once()) is not None and not stop.wait(again):
                pass
            if stop.is_set():
                return

    def look_once(self) -> float | None:
        """Look, and let the library follow; return the seconds after which to look again, None where all is settled."""
        try:
            look = self._looker.look()
        except (WatchNotFound, JobConflict):
            raise
        except FolderGone as error:
            self._note(error.message)
            return self._settle_seconds
        except ShowMeError as error:
            self._note(error.message)
            return RETRY_SECONDS
        for path, reason in look.unreadable.items():
            if self._told.get(path) != reason:
                self._tell(f"skipped {path}: {reason}")
        self._told = look.unreadable
        try:
            self._note(self._run(look) if look.plan else None, has_changed=bool(look.plan))
        except (WatchNotFound, LibraryNotFound, JobConflict):
            raise
        except ShowMeError as error:
            self._note(error.message)
        return None if look.is_settled else self._settle_seconds

    def _note(self, fault: str | None, *, has_changed: bool = False) -> None:
        """Record how it goes, and tell it if it is not as before."""
        if fault != self._fault:
            self._tell(fault or f"{self._watch.path} can be followed again")
        if has_changed or fault != self._fault or self._watch.synced_at is None:
            self._store.note(self._watch.id, fault)
        self._fault = fault


def wake_ups(root: Path, stop: Event, settle_seconds: float) -> Iterator[None]:
    """Yield at once, after changes in the folder, when it is away or back, and regularly, until `stop`."""
    while not stop.is_set():
        try:
            yield from _changes(root, stop, settle_seconds)
        except (OSError, RuntimeError):  # it is away, or the system watches no more folders
            yield
            stop.wait(CHECK_SECONDS if _identity(root) is None else RESCAN_SECONDS)


def _changes(root: Path, stop: Event, settle_seconds: float) -> Iterator[None]:
    """Yield at once and after changes, until another folder is in this place. Raises OSError."""
    identity, due = _identity(root), 0.0
    changes = watch(
        root,
        watch_filter=None,
        debounce=max(50, round(settle_seconds * MS)),
        rust_timeout=round(min(CHECK_SECONDS, settle_seconds) * MS),
        yield_on_timeout=True,
        stop_event=stop,
    )
    for change in changes:
        if change or monotonic() >= due:
            yield
            due = monotonic() + RESCAN_SECONDS
        if _identity(root) != identity:
            return


def _identity(root: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one in its place; None if there is none."""
    try:
        found = root.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
