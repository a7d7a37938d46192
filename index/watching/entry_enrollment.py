"""Enrolls entries of a watched folder: recordings together, each bank by itself, and tells which instruments each entry has.

Instruments of an entry that the library has already, and that are younger than its files, are taken as they are: they were
added by hand before, or by a run that was killed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from index.enroll import EnrollReport, Progress, add_instruments
from index.enrollment.batches import BATCH_INSTRUMENTS
from index.instrument_index import InstrumentIndex
from index.sources.base import InstrumentSource, SourceInstrument
from index.sources.opening import SourceOpener
from index.watching.folder_scan import ScannedEntry
from index.watching.instrument_changes import enrolled_before
from index.watching.watch_store import WatchView
from models.encoder_pair import EncoderPair
from models.errors import SourceError

Cancelled = Callable[[], bool]
Checking = Callable[[Session], None]
Reasons = tuple[tuple[str, str], ...]
_NS = 1_000_000_000


class EnrolledEntry(NamedTuple):
    """The instruments (ids) of an entry, why there are none, and the parts that were left out, each with its reason."""

    path: str
    instruments: tuple[str, ...]
    fault: str | None = None
    skipped: Reasons = ()


class ChosenInstruments:
    """Some instruments of a source, by their ids in it, as a source."""

    def __init__(self, source: InstrumentSource, chosen: Iterable[str], faults: Reasons = ()) -> None:
        self.name = source.name
        self.faults = faults
        self.num_readers = getattr(source, "num_readers", 1)
        self._source = source
        self._chosen = frozenset(chosen)

    @property
    def files(self) -> tuple[Path, ...]:
        return self._source.files

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[SourceInstrument]:
        instruments = iter(self._source)
        try:
            for instrument in instruments:
                if instrument.id in self._chosen:
                    yield instrument
        finally:
            if close := getattr(instruments, "close", None):
                close()  # ends the process that decodes

    def get(self, key: str) -> SourceInstrument:
        return self._source.get(key)


class EntryEnrollment:
    """One run over entries of a folder. `claimed` are the instruments that entries have already."""

    def __init__(
        self,
        index: InstrumentIndex,
        pair: EncoderPair,
        opener: SourceOpener,
        watch: WatchView,
        claimed: Iterable[str],
        checking: Checking,
    ) -> None:
        """`checking` is called in the transaction of each batch, and raises if nothing may be stored any more."""
        self._index = index
        self._pair = pair
        self._opener = opener
        self._watch = watch
        self._claimed = set(claimed)
        self._checking = checking
        self._recordings: InstrumentSource | None = None

    def opened_at(self, entry: ScannedEntry) -> Path:
        """Return where the source of an entry is opened: recordings are read as those of the whole folder."""
        root = self._watch.path
        return root if entry.kind == "recordings" else root / entry.path

    def instruments(self, entry: ScannedEntry) -> list[SourceInstrument]:
        """Return the instruments of an entry, not yet decoded. Raises SourceError."""
        source = self._open(entry)
        if entry.kind == "bank":
            return list(source)
        return [one for one in source if _entry_of(one.source) == entry.path]

    def enroll(
        self, entries: Sequence[ScannedEntry], progress: Progress, cancelled: Cancelled
    ) -> Iterator[list[EnrolledEntry]]:
        """Enroll entries, a few together, and yield what they have become; those that a cancellation left out are missing."""
        recordings = [entry for entry in entries if entry.kind == "recordings"]
        groups = [
            recordings[start : start + BATCH_INSTRUMENTS]
            for start in range(0, len(recordings), BATCH_INSTRUMENTS)
        ]
        done = 0
        for group in [*groups, *([entry] for entry in entries if entry.kind == "bank")]:
            if cancelled():
                return
            of_group = partial(_show_group, progress, done, len(group), len(entries))
            try:
                yield self._enroll_group(group, of_group, cancelled)
            except SourceError as error:
                yield [EnrolledEntry(entry.path, (), error.message) for entry in group]
            done += len(group)

    def _enroll_group(
        self, group: Sequence[ScannedEntry], progress: Progress, cancelled: Cancelled
    ) -> list[EnrolledEntry]:
        instruments_of = {entry.path: self.instruments(entry) for entry in group}
        ids_of: dict[str, list[str]] = {entry.path: [] for entry in group}
        wanted: list[str] = []  # ids in the source
        for entry in group:
            taken = self._taken(entry, instruments_of[entry.path])
            ids_of[entry.path] += taken.values()
            wanted += [one.id for one in instruments_of[entry.path] if one.id not in taken]
        source = self._open(group[0])
        faults = tuple(source.faults) if group[0].kind == "bank" else ()
        report = EnrollReport()
        if wanted:
            report = add_instruments(
                self._index,
                self._pair,
                self._watch.library_id,
                ChosenInstruments(source, wanted, faults),
                opened_at=self.opened_at(group[0]),
                progress=progress,
                cancelled=cancelled,
                storing=lambda session, number: self._checking(session),
            )
        path_of = {one.source: path for path, found in instruments_of.items() for one in found}
        for info in report.added:
            ids_of[path_of[info.source]].append(info.id)
            self._claimed.add(info.id)
        if report.cancelled:
            complete = [path for path, ids in ids_of.items() if ids and len(instruments_of[path]) == 1]
            return [EnrolledEntry(path, tuple(ids_of[path])) for path in complete]
        return [_outcome(entry, ids_of[entry.path], instruments_of[entry.path], report) for entry in group]

    def _taken(self, entry: ScannedEntry, found: Sequence[SourceInstrument]) -> dict[str, str]:
        """Return the instruments that the library has already and no entry has: their ids by those in the source."""
        folder = self._index.folder
        paths = {folder.stored_path(self._watch.path), folder.stored_path(self.opened_at(entry))}
        taken: dict[str, str] = {}
        with self._index.catalog.session() as session:
            rows = enrolled_before(session, self._watch.library_id, paths, self._claimed)
        for one in found:
            row = rows.get((one.source, one.id))
            if row is not None and row.created_at.timestamp() * _NS > entry.changed_ns:
                taken[one.id] = row.id
        self._claimed.update(taken.values())
        return taken

    def _open(self, entry: ScannedEntry) -> InstrumentSource:
        if entry.kind == "bank":
            return self._opener.open_source(self.opened_at(entry))
        if self._recordings is None:
            self._recordings = self._opener.open_recordings(self._watch.path)
        return self._recordings


def _entry_of(source: str) -> str:
    """Return the entry of a recording from its source, `folder/entry`."""
    return source.partition("/")[2]


def _show_group(
    progress: Progress, before: int, number: int, num_entries: int, done: int, total: int, name: str
) -> None:
    """Show the progress in a group of `number` entries; that in a bank, which is one of them, by the name alone."""
    progress(before + (done if total == number else 0), num_entries, name)


def _outcome(
    entry: ScannedEntry, ids: list[str], found: Sequence[SourceInstrument], report: EnrollReport
) -> EnrolledEntry:
    names = {one.name for one in found}
    own = tuple(
        (name, reason)
        for name, reason in report.skipped
        if entry.kind == "bank" or name.partition("/")[0].removesuffix(", its preview") in names
    )
    if ids:
        return EnrolledEntry(entry.path, tuple(ids), None, own)
    reasons = "; ".join(dict.fromkeys(reason for _, reason in own[:3])) or "it holds no instrument"
    return EnrolledEntry(entry.path, (), reasons)
