"""The files that chosen instruments were enrolled from, for the zip of an export: they are the user's own."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from app.archive import clean_name
from app.export.document import ExportedInstrument, ExportedSet
from models.errors import InstrumentNotFound, LibraryNotOwned, SourceNotKept

FindFiles = Callable[[str], list[Path]]  # the files of an instrument, by its id
SOURCE_GONE = "its source is not there any more"


def source_files(chosen: ExportedSet, find: FindFiles, limit: int) -> dict[str, Path]:
    """Return the files of the chosen instruments by their paths in the zip, which `chosen` names from now on.

    A file of several instruments, as a SoundFont, is there once. An instrument whose files `find` refuses to give, or would
    take all of them above `limit` bytes, is told why in `no_files`.
    """
    path_of: dict[Path, str] = {}
    total = 0
    for number, item in enumerate(chosen.instruments, 1):
        try:
            files = find(item.instrument_id)
            new = [path for path in files if path not in path_of]
            size = sum(path.stat().st_size for path in new)
        except (InstrumentNotFound, LibraryNotOwned, SourceNotKept) as error:
            item.no_files = error.message
            continue
        except FileNotFoundError:
            item.no_files = SOURCE_GONE
            continue
        if total + size > limit:
            item.no_files = f"its source of {size} bytes would take the download above {limit} bytes"
            continue
        total += size
        path_of |= dict(zip(new, _paths(number, item, new, set(path_of.values())), strict=True))
        item.files = [path_of[path] for path in files]
    return {path: file for file, path in path_of.items()}


def _paths(number: int, item: ExportedInstrument, files: list[Path], taken: set[str]) -> list[str]:
    """Paths in the zip: one file keeps its name, several are a folder named as the instrument."""
    folder = PurePosixPath("sources")
    own = folder / clean_name(f"{number:02d} {item.name or item.instrument_id}")
    if len(files) == 1 and str(folder / clean_name(files[0].name)) not in taken:
        return [str(folder / clean_name(files[0].name))]
    names: list[str] = []
    for place, path in enumerate(files, 1):
        name = clean_name(path.name)
        names.append(name if name not in names else clean_name(f"{place:03d} {path.name}"))
    return [str(own / name) for name in names]
