"""The two kinds of work that jobs do: an enrollment, and the re-embedding of a library with the encoder in use.

`app/jobs.py` runs them one after another. An enrollment is one transaction (`index/enroll.py`), which stores the job's
outcome too; a re-embedding keeps each new embedding (`index/reembed.py`) and goes on after a restart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from sqlalchemy.orm import Session

from app.default_library import DefaultLibrary
from app.job_store import JobKind, Skipped
from index.enroll import EnrollReport, Progress, enroll
from index.instrument_index import InstrumentIndex
from index.reembed import ReembedReport, reembed
from index.sources.base import InstrumentSource
from index.sources.opening import SourceOpener
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
        """Return the outcome of an enrollment."""
        if report.cancelled:
            return cls("cancelled", "cancelled; nothing was stored")
        skipped = tuple(Skipped(*one) for one in report.skipped)
        return cls("done", "; ".join([f"{len(report.added)} added", *_named("skipped", skipped)]), skipped)


Settle = Callable[[Session, Outcome], None]  # stores the outcome of a job in the transaction of its work


class Task(Protocol):
    """The work of a job. `run` raises ShowMeError for what a user can mend."""

    @property
    def kind(self) -> JobKind: ...

    @property
    def total(self) -> int:
        """The number of instruments to process, as far as it is known before the start."""
        ...

    def run(self, progress: Progress, cancelled: Cancelled, settle: Settle) -> Outcome: ...

    def clean_up(self) -> None:
        """Called when the job has ended, however it did."""
        ...


@dataclass(frozen=True)
class EnrollTask:
    """Adds the instruments of a source, which was opened at `opened_at`, to a library; `only_if_empty`: unless it has some."""

    index: InstrumentIndex
    pair: EncoderPair
    library_id: str
    source: InstrumentSource
    opened_at: Path | None
    when_ended: Callable[[], None] = lambda: None
    only_if_empty: bool = False
    kind: JobKind = "enroll"

    @property
    def total(self) -> int:
        return len(self.source)

    def run(self, progress: Progress, cancelled: Cancelled, settle: Settle) -> Outcome:
        if self.only_if_empty and self.index.libraries.get(self.library_id).num_instruments:
            return Outcome("done", "another process was quicker")
        report = enroll(
            self.index,
            self.pair,
            self.library_id,
            self.source,
            opened_at=self.opened_at,
            progress=progress,
            cancelled=cancelled,
            storing=lambda session, stored: settle(session, Outcome.of_enrollment(stored)),
        )
        return Outcome.of_enrollment(report)

    def clean_up(self) -> None:
        self.when_ended()


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

    def run(self, progress: Progress, cancelled: Cancelled, settle: Settle) -> Outcome:
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

    def clean_up(self) -> None:
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
