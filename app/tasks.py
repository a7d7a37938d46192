"""The kinds of work that jobs do: an enrollment, the re-embedding of a library, and letting it follow a folder.

`app/jobs.py` runs them one after another. All go on after a restart: an enrollment has stored its batches, with the job's
progress in their transactions (`index/enroll.py`), a re-embedding each new embedding (`index/reembed.py`), and a library that
follows a folder each change (`index/watching/`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from app.default_library import DefaultLibrary
from app.job_store import JobKind, Skipped
from index.enroll import EnrollReport, Progress, enroll
from index.enrollment.batches import Storing
from index.instrument_index import InstrumentIndex
from index.reembed import ReembedReport, reembed
from index.sources.base import InstrumentSource
from index.sources.opening import SourceOpener
from index.watching.folder_look import FolderLooker
from index.watching.folder_sync import CHANGE_KINDS, FolderSync
from models.encoder_pair import EncoderPair

MAX_SKIPPED_NAMED = 5
Cancelled = Callable[[], bool]


class Outcome(NamedTuple):
    """The result of a task in a sentence, and all that it left out."""

    state: Literal["done", "failed", "cancelled"]
    message: str
    skipped: tuple[Skipped, ...] = ()

    @classmethod
    def of_enrollment(cls, report: EnrollReport) -> "Outcome":
        """Return the outcome of an enrollment, whose job says what was kept if it was cancelled."""
        if report.cancelled:
            return cls("cancelled", "cancelled")
        skipped = tuple(Skipped(*one) for one in report.skipped)
        return cls("done", "; ".join([f"{report.num_stored} added", *_named("skipped", skipped)]), skipped)


class Task(Protocol):
    """The work of a job. `run` raises ShowMeError for what a user can mend.

    `source_path` is what an enrollment goes on from after a restart. A task `after_updates` waits for those of libraries.
    """

    @property
    def kind(self) -> JobKind: ...

    @property
    def total(self) -> int:
        """The number of instruments to process, as far as it is known before the start."""
        ...

    @property
    def source_path(self) -> str | None: ...

    @property
    def after_updates(self) -> bool: ...

    def run(self, job_id: str, progress: Progress, cancelled: Cancelled, storing: Storing) -> Outcome:
        """Do the work. `storing(session, number)` stores with it how many instruments the job keeps."""
        ...

    def clean_up(self, *, has_ended: bool) -> None:
        """Called when this process does not go on with the job: it `has_ended`, or another run of it will go on."""
        ...


@dataclass(frozen=True)
class EnrollTask:
    """Adds the `total` instruments of a source to a library; `only_if_empty`: unless others are in it.

    The source was opened at `opened_at`, as instruments record it.
    """

    index: InstrumentIndex
    pair: EncoderPair
    library_id: str
    open_source: Callable[[], InstrumentSource]
    total: int
    opened_at: Path | None = None
    source_path: str | None = None
    when_left: Callable[[bool], None] = lambda has_ended: None
    only_if_empty: bool = False
    after_updates: bool = False
    kind: JobKind = "enroll"

    def run(self, job_id: str, progress: Progress, cancelled: Cancelled, storing: Storing) -> Outcome:
        if self.only_if_empty and self._others_are_in_it(job_id):
            return Outcome("done", "another process was quicker")
        report = enroll(
            self.index,
            self.pair,
            self.library_id,
            self.open_source(),
            job_id=job_id,
            opened_at=self.opened_at,
            progress=progress,
            cancelled=cancelled,
            storing=storing,
        )
        return Outcome.of_enrollment(report)

    def clean_up(self, *, has_ended: bool) -> None:
        self.when_left(has_ended)

    def _others_are_in_it(self, job_id: str) -> bool:
        is_empty = not self.index.libraries.get(self.library_id).num_instruments
        return not is_empty and not self.index.job_instruments.keys(self.library_id, job_id)


@dataclass(frozen=True)
class ReembedTask:
    """Embeds the stale instruments of a library again."""

    index: InstrumentIndex
    pair: EncoderPair
    library_id: str
    default: DefaultLibrary | None
    opener: SourceOpener
    total: int
    roots: Sequence[Path] | None = None
    kind: JobKind = "reembed"
    source_path: None = None
    after_updates: bool = False

    def run(self, job_id: str, progress: Progress, cancelled: Cancelled, storing: Storing) -> Outcome:
        given = self.default.given_for(self.index.libraries.get(self.library_id)) if self.default else []
        report = reembed(
            self.index,
            self.pair,
            self.library_id,
            self.opener,
            given=given,
            roots=self.roots,
            progress=progress,
            cancelled=cancelled,
        )
        if report.cancelled:
            message = "cancelled; the library is as it was, and the next update goes on from here"
            return Outcome("cancelled", message)
        skipped = tuple(Skipped(*one) for one in report.skipped)
        failed = bool(skipped) and not report.num_updated
        message = "; ".join([updated_words(report), *_named("not updated and not searched", skipped)])
        return Outcome("failed" if failed else "done", message, skipped)

    def clean_up(self, *, has_ended: bool) -> None:
        """Nothing is left over."""


@dataclass(frozen=True)
class FollowTask:
    """Lets a library follow a folder, which is looked at again when it is the task's turn."""

    sync: FolderSync
    looker: FolderLooker
    total: int
    source_path: str
    kind: JobKind = "watch"
    after_updates: bool = False

    def run(self, job_id: str, progress: Progress, cancelled: Cancelled, storing: Storing) -> Outcome:
        report = self.sync.apply(self.looker.look(), progress, cancelled)
        if report.is_cancelled:
            return Outcome("cancelled", "cancelled; what was done stays")
        skipped = tuple(
            Skipped(one.path, one.detail.removeprefix(": "))
            for one in report.changes
            if one.kind == "skipped"
        )
        number = Counter(one.kind for one in report.changes)
        done = ", ".join(
            f"{number[kind]} {kind}" for kind in CHANGE_KINDS if number[kind] and kind != "skipped"
        )
        return Outcome("done", "; ".join([done or "nothing to do", *_named("skipped", skipped)]), skipped)

    def clean_up(self, *, has_ended: bool) -> None:
        """Nothing is left over."""


def updated_words(report: ReembedReport) -> str:
    """Say how many instruments a re-embedding has updated, and from what."""
    if not report.num_updated and not report.skipped:
        return "nothing to update"
    updated = f"{report.num_updated} updated"
    if report.num_from_previews:
        updated += f", {report.num_from_previews} of them from previews, since their sources were not kept"
    return updated


def _named(what: str, skipped: Sequence[Skipped]) -> list[str]:
    """Name the first of what was left out, with the reasons; nothing for nothing."""
    if not skipped:
        return []
    named = ", ".join(f"{name} ({reason})" for name, reason in skipped[:MAX_SKIPPED_NAMED])
    rest = len(skipped) - MAX_SKIPPED_NAMED
    return [f"{len(skipped)} {what}: {named}" + (f" and {rest} more" if rest > 0 else "")]
