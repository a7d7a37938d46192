"""`showme index export` and `import`: a library's embeddings as a file, from one machine to another."""

from pathlib import Path

from app.cli.context import opened_engine
from app.cli.terminal import out
from index.library_archive import export_library, import_library
from models.atomic import atomic_file
from models.errors import InvalidRequest


def export(library: str, file: Path) -> None:
    """Write a library into the new file `file`, which appears as a whole or not at all."""
    if file.exists():
        raise InvalidRequest(f"{file} is there already; an export replaces nothing", value=str(file))
    with opened_engine() as engine, atomic_file(file) as target:
        manifest = export_library(engine.index, library, target)
    number = len(manifest.instruments)
    out.print(f"exported {number} instruments of {manifest.name} to {file}", markup=False, soft_wrap=True)


def import_(file: Path, name: str | None) -> None:
    """Make a new library of `file`."""
    with opened_engine() as engine:
        library = import_library(engine.index, file, name)
    number = library.num_instruments
    out.print(f"imported {number} instruments as {library.name} ({library.id})", markup=False, soft_wrap=True)
