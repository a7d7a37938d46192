"""`showme index`: adds, lists, removes, renames, restores, verifies, rebuilds and updates libraries in the data folder.

Enrolls like POST /v1/libraries/{id}/instruments; `verify` and `rebuild` follow docs/ARCHITECTURE.md, decision 1.
"""

from collections.abc import Iterable
from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from app.cli.context import opened_engine, read_settings
from app.cli.progress import EnrollmentProgress
from app.cli.terminal import err, out, print_table
from app.default_library import check_default_keeps_its_name
from app.engine import Engine
from app.tasks import updated_words
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo, LibraryInfo
from models.errors import IndexDamaged, InvalidRequest

FAULTS_FOUND = 1
NOT_UPDATED = 1
PAGE = 500


def add(path: Path, library: str) -> None:
    """Enroll the instruments of `path`; a failure leaves no empty library behind, and says what it keeps."""
    try:
        with (
            opened_engine() as engine,
            EnrollmentProgress(err, f"enrolling {path.resolve().name}") as progress,
        ):
            chosen, report = engine.enroll(path, library, progress=progress)
    except BaseException as error:
        for note in getattr(error, "__notes__", ()):
            err.print(note, markup=False, soft_wrap=True)
        raise
    for name, reason in report.skipped:
        err.print(f"skipped {name}: {reason}", markup=False)
    out.print(f"{len(report.added)} instruments added to {chosen.name} ({chosen.id})", markup=False)


def show(library: str | None) -> None:
    """Print the libraries, or the instruments of one."""
    with opened_engine() as engine:
        if library is None:
            libraries = engine.index.libraries.all()
            print_table(_library_table(libraries))
            if any(one.num_stale for one in libraries):
                err.print("stale: made by another encoder and not searched; to update: showme index reembed")
        else:
            print_table(_instrument_table(_instruments(engine.index, library), engine.index.encoder_hash))


def remove(library: str, instrument: str | None, *, ask: bool) -> None:
    """Remove a library, after asking if `ask`, or one instrument of it."""
    with opened_engine() as engine:
        chosen = engine.index.libraries.get(library)
        if instrument is not None:
            instrument_id = engine.index.instruments.find(chosen.id, instrument).id
            engine.index.instruments.delete(instrument_id)
            out.print(f"removed {instrument} from {chosen.name}", markup=False)
            _print_restore_hint(instrument_id)
            return
        if ask:
            typer.confirm(f"Remove {chosen.name} with its {chosen.num_instruments} instruments?", abort=True)
        engine.index.libraries.delete(chosen.id)
        out.print(f"removed {chosen.name}", markup=False)
        _print_restore_hint(chosen.id)


def rename(library: str, name: str, instrument: str | None) -> None:
    """Rename a library, or one instrument of it."""
    with opened_engine() as engine:
        chosen = engine.index.libraries.get(library)
        if instrument is not None:
            found = engine.index.instruments.find(chosen.id, instrument).id
            renamed = engine.index.instruments.correct(found, {"name": name}).name
        else:
            check_default_keeps_its_name(chosen, name, engine.default)
            renamed = engine.index.libraries.change(chosen.id, name).name
    out.print(f"{instrument or chosen.name} is now called {renamed}", markup=False)


def take_out(job: str) -> None:
    """Remove the instruments that a job has added."""
    with opened_engine() as engine:
        number = engine.index.job_instruments.take_out(job)
    out.print(f"{number} instruments removed")
    if number:
        _print_restore_hint(job)


def restore(deleted: str) -> None:
    """Restore a recently removed library or instrument, or what was taken out of a job, by its id."""
    with opened_engine() as engine:
        if deleted.startswith("j_"):
            number = engine.index.job_instruments.put_back(deleted)
            out.print(f"{number} instruments are restored")
            return
        if deleted.startswith("i_"):
            name = engine.index.instruments.restore(deleted).name
        else:
            name = engine.index.libraries.restore(deleted).name
    out.print(f"{name} is restored", markup=False)


def _print_restore_hint(deleted: str) -> None:
    minutes = read_settings().undo_seconds / 60
    if minutes >= 1:
        err.print(f"to restore it within {minutes:.0f} minutes: showme index restore {deleted}", markup=False)


def verify(library: str | None) -> int:
    """Print the faults and return the exit code."""
    try:
        with opened_engine(reconcile=False) as engine:
            faults = engine.index.verify(library)
    except IndexDamaged as error:  # it cannot even be opened
        faults = [error.message]
    for fault in faults or ["no faults found"]:
        out.print(fault, markup=False)
    return FAULTS_FOUND if faults else 0


def rebuild(library: str | None) -> None:
    """Rebuild the vector files."""
    with opened_engine() as engine:
        out.print(f"{engine.index.rebuild(library)} vectors written")


def reembed(library: str | None, source: Path | None, *, use_previews: bool) -> int:
    """Embed a library again, or all stale ones, and return the exit code."""
    with opened_engine() as engine:
        if library is None and source is not None:
            raise InvalidRequest("name the library whose source this is", value=str(source))
        every = [one for one in engine.index.libraries.all() if one.num_stale]
        chosen = every if library is None else [engine.index.libraries.get(library)]
        if not chosen:
            out.print("all libraries are up to date")
        return max((_reembed(engine, one, source, use_previews) for one in chosen), default=0)


def _reembed(engine: Engine, library: LibraryInfo, source: Path | None, use_previews: bool) -> int:
    with EnrollmentProgress(err, f"updating {library.name}") as progress:
        report = engine.reembed(library.id, source, use_previews=use_previews, progress=progress)
    for name, reason in report.skipped:
        err.print(f"{library.name}: {name} is not updated: {reason}", markup=False)
    for path in report.lost:
        err.print(f"not there: {path}", markup=False)
    if report.skipped:
        err.print("give the present place of sources with --source, or take the previews with --use-previews")
    out.print(f"{library.name}: {updated_words(report)}", markup=False)
    return NOT_UPDATED if report.skipped else 0


def _instruments(index: InstrumentIndex, library: str) -> list[InstrumentInfo]:
    rows, after = index.instruments.page(library, limit=PAGE)
    while after is not None:
        page, after = index.instruments.page(library, limit=PAGE, after=after)
        rows += page
    return rows


def _library_table(libraries: Iterable[LibraryInfo]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("library", "id", "instruments", "created", "state"):
        table.add_column(column, justify="right" if column == "instruments" else "left", overflow="fold")
    for library in libraries:
        created = f"{library.created_at:%Y-%m-%d %H:%M}"
        row = (library.id, str(library.num_instruments), created, _state(library))
        table.add_row(Text(library.name, style="bold"), *row)
    return table


def _state(library: LibraryInfo) -> Text:
    if not library.num_stale:
        previews = f", {library.num_from_previews} from previews" if library.num_from_previews else ""
        return Text(f"ready{previews}")
    return Text(f"{library.num_stale} of {library.num_instruments} stale", style="yellow")


def _instrument_table(instruments: Iterable[InstrumentInfo], encoder_hash: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("instrument", "family", "id", "clips", "source"):
        table.add_column(column, justify="right" if column == "clips" else "left", overflow="fold")
    for item in instruments:
        row = (_family(item), item.id, str(item.num_clips), Text(item.source))
        is_stale = item.encoder_hash != encoder_hash
        table.add_row(Text(item.name, style="bold") + Text(" (stale)" * is_stale, style="yellow"), *row)
    return table


def _family(item: InstrumentInfo) -> str:
    """The family; where none is named, the recognised one with its probability, as in `≈ bass .83`."""
    if item.family is not None or not item.families or item.recognised_family is None:
        return item.family or "–"
    share = f"{item.families[item.recognised_family]:.2f}".removeprefix("0")
    return f"≈ {item.recognised_family} {share}"
