"""`showme index`: add, list, remove, verify and rebuild, on the data folder itself.

The same enrollment as POST /v1/libraries/{id}/instruments; `verify` and `rebuild` are DESIGN.md's decision 1.
"""

from pathlib import Path

import typer

from app.cli.opened import opened, read_settings
from app.cli.progress import EnrollmentProgress
from app.cli.render import instrument_table, library_table
from app.cli.terminal import err, out
from app.default_library import check_default_keeps_its_name
from index.enroll import enroll
from index.instrument_index import InstrumentIndex, InstrumentInfo, LibraryInfo
from index.sources.opening import open_source
from models.errors import InstrumentNotFound, LibraryNotFound

FAULTS_FOUND = 1
PAGE = 500


def add(path: Path, library: str) -> None:
    """Enroll the instruments of `path`; a mistake leaves no empty library behind."""
    source = open_source(path)
    with opened() as parts:
        chosen, is_new = _library(parts.index, library)
        try:
            with EnrollmentProgress(err, f"enrolling {source.name}") as progress:
                report = enroll(parts.index, parts.pair, chosen.id, source, progress=progress)
        except BaseException:
            if is_new:
                parts.index.drop_library(chosen.id)
            raise
    for name, reason in report.skipped:
        err.print(f"skipped {name}: {reason}", markup=False)
    out.print(f"{len(report.added)} instruments added to {chosen.name} ({chosen.id})", markup=False)


def show(library: str | None) -> None:
    """Print the libraries, or the instruments of one."""
    with opened() as parts:
        if library is None:
            out.print(library_table(parts.index.libraries()))
        else:
            out.print(instrument_table(_instruments(parts.index, library)))


def remove(library: str, instrument: str | None, *, ask: bool) -> None:
    """Remove a library, after asking if `ask`, or one instrument of it."""
    with opened() as parts:
        chosen = parts.index.library(library)
        if instrument is not None:
            instrument_id = _instrument_id(parts.index, chosen, instrument)
            parts.index.remove_instrument(instrument_id)
            out.print(f"removed {instrument} from {chosen.name}", markup=False)
            _say_how_to_restore(instrument_id)
            return
        if ask:
            typer.confirm(f"Remove {chosen.name} with its {chosen.num_instruments} instruments?", abort=True)
        parts.index.delete_library(chosen.id)
        out.print(f"removed {chosen.name}", markup=False)
        _say_how_to_restore(chosen.id)


def rename(library: str, name: str, instrument: str | None) -> None:
    """Give a library, or one instrument of it, another name."""
    with opened() as parts:
        chosen = parts.index.library(library)
        if instrument is not None:
            found = _instrument_id(parts.index, chosen, instrument)
            renamed = parts.index.correct_instrument(found, {"name": name}).name
        else:
            check_default_keeps_its_name(chosen, name, parts.default)
            renamed = parts.index.rename_library(chosen.id, name).name
    out.print(f"{instrument or chosen.name} is now called {renamed}", markup=False)


def restore(deleted: str) -> None:
    """Bring back a library or an instrument that was removed a while ago, by its id."""
    with opened() as parts:
        if deleted.startswith("i_"):
            name = parts.index.restore_instrument(deleted).name
        else:
            name = parts.index.restore_library(deleted).name
    out.print(f"{name} is back", markup=False)


def _say_how_to_restore(deleted: str) -> None:
    minutes = read_settings().undo_seconds / 60
    if minutes >= 1:
        err.print(
            f"for {minutes:.0f} minutes, this brings it back: showme index restore {deleted}", markup=False
        )


def verify(library: str | None) -> int:
    """Print what is wrong and return the exit code."""
    with opened(reconcile=False) as parts:
        faults = parts.index.verify(library)
    for fault in faults or ["no faults found"]:
        out.print(fault, markup=False)
    return FAULTS_FOUND if faults else 0


def rebuild(library: str | None) -> None:
    """Make the vector files again."""
    with opened() as parts:
        out.print(f"{parts.index.rebuild(library)} vectors written")


def _library(index: InstrumentIndex, id_or_name: str) -> tuple[LibraryInfo, bool]:
    """The library, and whether it was made here."""
    try:
        return index.library(id_or_name), False
    except LibraryNotFound:
        return index.create_library(id_or_name), True


def _instruments(index: InstrumentIndex, library: str) -> list[InstrumentInfo]:
    rows, after = index.instruments(library, limit=PAGE)
    while after is not None:
        page, after = index.instruments(library, limit=PAGE, after=after)
        rows += page
    return rows


def _instrument_id(index: InstrumentIndex, library: LibraryInfo, id_or_name: str) -> str:
    """The id of the library's instrument that is called so. Raises InstrumentNotFound."""
    for row in _instruments(index, library.id):
        if id_or_name in (row.id, row.name):
            return row.id
    raise InstrumentNotFound(f"{library.name} has no instrument {id_or_name!r}", value=id_or_name)
