"""Lets a library follow its folder: does what a look at the folder asks for, and tells each change.

Every change is one transaction with what is recorded of it, so that a kill at any moment neither loses nor repeats one.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from sqlalchemy.orm import Session

from index.catalog import Library
from index.enroll import DRAWING, Progress
from index.instrument_index import InstrumentIndex
from index.sources.opening import SourceOpener
from index.watching.entry_enrollment import Cancelled, EnrolledEntry, EntryEnrollment
from index.watching.folder_look import FolderLook
from index.watching.folder_scan import is_as_scanned
from index.watching.instrument_changes import (
    MovedEntry,
    delete_instruments,
    move_instruments,
    replace_instruments,
)
from index.watching.plan import KnownEntry
from index.watching.watch_store import WatchStore, WatchView
from models.encoder_pair import EncoderPair
from models.errors import LibraryNotFound, SourceError

ChangeKind = Literal["added", "changed", "moved", "removed", "skipped"]
CHANGE_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)


class FolderChange(NamedTuple):
    """One change of the library: of which entry, in which words, and the ids of instruments that it has deleted."""

    kind: ChangeKind
    path: str
    detail: str = ""
    deleted: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The change in a line."""
        return f"{self.kind} {self.path}{self.detail}"


Report = Callable[[FolderChange], None]


@dataclass
class SyncReport:
    """All changes of one run, and whether it was cancelled before it had done everything."""

    changes: list[FolderChange] = field(default_factory=list)
    is_cancelled: bool = False


class FolderSync:
    """Changes the library of one watch, which this process must hold (`WatchStore.take`)."""

    def __init__(
        self,
        index: InstrumentIndex,
        pair: EncoderPair,
        opener: SourceOpener,
        store: WatchStore,
        watch: WatchView,
        report: Report = lambda change: None,
    ) -> None:
        """`report` is called with each change once it is stored."""
        self._index = index
        self._pair = pair
        self._opener = opener
        self._store = store
        self._watch = watch
        self._report = report

    def apply(
        self,
        look: FolderLook,
        progress: Progress = lambda done, total, name: None,
        cancelled: Cancelled = lambda: False,
    ) -> SyncReport:
        """Do what the look has found to be done.

        Raises LibraryNotFound, EncoderMismatch, and WatchNotFound or JobConflict if this process must not go on.
        """
        self._index.check_encoder(self._index.libraries.get(self._watch.library_id))
        done = SyncReport()
        plan = look.plan
        claimed = [one for entry in look.known.values() for one in entry.instruments]
        enrollment = EntryEnrollment(
            self._index, self._pair, self._opener, self._watch, claimed, self._check_held
        )
        self._remove(look, done)
        self._move(look, enrollment, done)
        to_enroll = [look.entries[path] for path in (*plan.changed, *plan.added)]
        has_added = False
        for group in enrollment.enroll(to_enroll, progress, cancelled):
            self._record(group, look, done)
            has_added = has_added or any(entry.instruments for entry in group)
        done.is_cancelled = cancelled()
        if has_added and not done.is_cancelled:
            progress(len(to_enroll), len(to_enroll), DRAWING)
            done.is_cancelled = not self._index.maps.draw(self._watch.library_id, cancelled)
        return done

    def _remove(self, look: FolderLook, done: SyncReport) -> None:
        """Delete the instruments of entries that are gone, restorable for a while."""
        removed = look.plan.removed
        if not removed:
            return
        changes: list[FolderChange] = []
        with self._index.catalog.deleting() as session:
            library = self._library(session)
            library.revision += 1
            for path in removed:
                rows = delete_instruments(session, library.id, look.known[path].instruments)
                ids = tuple(row.id for row in rows)
                changes.append(FolderChange("removed", path, _counted(ids), ids))
            self._store.replace_entries(session, self._watch.id, removed, ())
        self._follow(library, changes, done)
        self._index.libraries.purge_if_possible()

    def _move(self, look: FolderLook, enrollment: EntryEnrollment, done: SyncReport) -> None:
        """Let the instruments of moved entries follow them, all at once, since entries may exchange their names."""
        if not look.plan.moved:
            return
        changes, moved, entries = [], [], []
        for old, new in look.plan.moved:
            entry, known = look.entries[new], look.known[old]
            entries.append(known._replace(path=new, digest=look.digests[new]))
            changes.append(FolderChange("moved", old, f" → {new}"))
            if not known.instruments:
                continue
            try:
                source_path = self._index.folder.stored_path(enrollment.opened_at(entry))
                moved.append(MovedEntry(known.instruments, source_path, enrollment.instruments(entry)))
            except SourceError as error:
                changes.append(FolderChange("skipped", new, f": {error.message}"))
        with self._index.catalog.write(patient=True) as session:
            library = self._library(session)
            library.revision += 1
            move_instruments(session, library.id, moved)
            self._store.replace_entries(session, self._watch.id, [old for old, _ in look.plan.moved], entries)
        self._follow(library, changes, done)

    def _record(self, group: Sequence[EnrolledEntry], look: FolderLook, done: SyncReport) -> None:
        """Record entries that were enrolled, and let the instruments of changed ones take the place of the earlier ones.

        What has failed because its files went away, or changed meanwhile, is not recorded: the next look finds it again.
        """
        changes: list[FolderChange] = []
        with self._index.catalog.write(patient=True) as session:
            library = self._library(session)
            for entry in group:
                is_whole = entry.fault is None and not entry.skipped
                if not is_whole and not is_as_scanned(self._watch.path, look.entries[entry.path]):
                    continue
                earlier = look.known.get(entry.path) if entry.path in look.plan.changed else None
                old = earlier.instruments if earlier else ()
                deleted: tuple[str, ...] = ()
                if entry.fault is None:
                    rows = replace_instruments(session, library.id, old, entry.instruments) if old else []
                    deleted = tuple(row.id for row in rows)
                    library.revision += bool(deleted)
                ids = entry.instruments if entry.fault is None else old
                known = KnownEntry(entry.path, look.digests[entry.path], ids, entry.fault)
                self._store.replace_entries(session, self._watch.id, (), [known])
                changes += _changes_of(entry, deleted, is_new=not old)
        self._follow(library, changes, done)

    def _library(self, session: Session) -> Library:
        """Return the library. Raises LibraryNotFound if it was deleted meanwhile."""
        library = session.get(Library, self._watch.library_id)
        if library is None or library.deleted_at is not None:
            message = f"library {self._watch.library_id} was deleted meanwhile"
            raise LibraryNotFound(message, value=self._watch.library_id)
        return library

    def _check_held(self, session: Session) -> None:
        self._store.check_held(session, self._watch.id)

    def _follow(self, library: Library, changes: Collection[FolderChange], done: SyncReport) -> None:
        self._index.vectors.follow(library)
        for change in changes:
            done.changes.append(change)
            self._report(change)


def _changes_of(entry: EnrolledEntry, deleted: tuple[str, ...], *, is_new: bool) -> Iterable[FolderChange]:
    if entry.fault is not None:
        yield FolderChange("skipped", entry.path, f": {entry.fault}")
        return
    kind: ChangeKind = "added" if is_new else "changed"
    yield FolderChange(kind, entry.path, _counted(entry.instruments), deleted)
    for name, reason in entry.skipped:
        yield FolderChange("skipped", f"{entry.path}: {name}", f": {reason}")


def _counted(ids: Collection[str]) -> str:
    return "" if len(ids) == 1 else f": {len(ids)} instruments"
