"""A look at a watched folder: which entries have changed since the library last followed it, once they have settled.

Only files whose size or time differ from what is stored are read and hashed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from index.watching.folder_scan import (
    FileState,
    FolderGone,
    FolderScan,
    ScannedEntry,
    file_digest_of,
    scan_folder,
)
from index.watching.plan import FolderPlan, KnownEntry, plan_changes
from index.watching.watch_store import HashedFile, WatchStore, WatchView

SETTLE_SECONDS = 2.0  # that a file must have stayed as it is before it is read
_NS = 1_000_000_000
Wait = Callable[[float], object]


@dataclass(frozen=True)
class FolderLook:
    """The plan, the entries and digests that it speaks of, what cannot be read and why, and whether all has settled."""

    plan: FolderPlan
    known: dict[str, KnownEntry]
    entries: dict[str, ScannedEntry]
    digests: dict[str, str]
    unreadable: dict[str, str]
    is_settled: bool


class FolderLooker:
    """Looks at the folder of one watch."""

    def __init__(
        self,
        store: WatchStore,
        watch: WatchView,
        settle_seconds: float = SETTLE_SECONDS,
        wait: Wait = time.sleep,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` raises if the folder must not be read."""
        self._store = store
        self._watch = watch
        self._settle_seconds = settle_seconds
        self._wait = wait
        self._check = check

    def look(self) -> FolderLook:
        """Compare the folder with what is stored. Raises FolderGone, WatchNotFound, JobConflict and as `check`."""
        self._check()
        known = self._store.entries(self._watch.id)
        scan, unsettled = self._settled_scan(known)
        if known and not scan.entries and not scan.unreadable:
            message = f"the folder {self._watch.path} is empty, as if its disk were away; nothing is removed"
            raise FolderGone(message, value=str(self._watch.path))
        entries = {path: entry for path, entry in scan.entries.items() if path not in unsettled}
        digests = self._digests(scan, entries)
        left_alone = {*unsettled, *scan.unreadable}
        plan = plan_changes(known, digests, left_alone, is_settled=not unsettled)
        return FolderLook(plan, known, entries, digests, scan.unreadable, is_settled=not unsettled)

    def _settled_scan(self, known: Mapping[str, KnownEntry]) -> tuple[FolderScan, set[str]]:
        """Scan the folder, twice if something has just changed or is missing; return what differed between the two."""
        first = scan_folder(self._watch.path)
        recently_ns = int((time.time() - self._settle_seconds) * _NS)
        is_recent = any(entry.changed_ns > recently_ns for entry in first.entries.values())
        if not is_recent and not known.keys() - first.entries.keys() - first.unreadable.keys():
            return first, set()
        self._wait(self._settle_seconds)
        second = scan_folder(self._watch.path)
        paths = first.entries.keys() | second.entries.keys()
        return second, {path for path in paths if first.entries.get(path) != second.entries.get(path)}

    def _digests(self, scan: FolderScan, entries: dict[str, ScannedEntry]) -> dict[str, str]:
        """Return the digest of each entry; one with a file that cannot be read becomes unreadable."""
        stored = self._store.files(self._watch.id)
        hashed: dict[str, HashedFile] = {}
        digests: dict[str, str] = {}
        for path, entry in list(entries.items()):
            try:
                for file, state in entry.files.items():
                    if file not in hashed:
                        hashed[file] = _hashed(self._watch.path / file, state, stored.get(file))
            except OSError as error:
                scan.unreadable[path] = f"cannot be read: {error.strerror}"
                del entries[path]
            else:
                digests[path] = entry.digest(lambda file: hashed[file].digest)
        new = {file: state for file, state in hashed.items() if stored.get(file) != state}
        present = {file for entry in scan.entries.values() for file in entry.files}
        if new or stored.keys() - present:
            self._store.replace_files(self._watch.id, stored.keys() - present, new)
        return digests


def _hashed(path: Path, state: FileState, stored: HashedFile | None) -> HashedFile:
    """Return a file with the digest of its content, the stored one if size and time are as they were. Raises OSError."""
    if stored is not None and (stored.num_bytes, stored.modified_ns) == (state.num_bytes, state.modified_ns):
        return stored
    return HashedFile(state.num_bytes, state.modified_ns, file_digest_of(path))
