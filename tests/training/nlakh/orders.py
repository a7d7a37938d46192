"""What the rendering tests order: a small data set of either kind, as an `Order` or on the command line.

The library and the MIDI files are those of `conftest`.
"""

from pathlib import Path

from rich.console import Console

from training.nlakh.dataset import Kind, Layout
from training.nlakh.make import Order

CLIPS, MIXTURES = 3, 12
QUIET = Console(quiet=True)


def order(
    notes: Path, midi: Path | None, out: Path, kind: Kind = "single", layout: Layout = "compact"
) -> Order:
    counts = (("train", CLIPS), ("valid", CLIPS)) if kind == "single" else (("train", MIXTURES),)
    return Order(kind, layout, (str(notes),), midi, out, counts, seed=3, valid_share=0.3)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def arguments(notes: Path, midi: Path, out: Path, kind: str, *more: str) -> list[str]:
    given = ["render", kind, "--notes", str(notes), "--midi", str(midi), "--out", str(out)]
    return [*given, "--seed", "3", "--valid-share", "0.3", "--workers", "1", *more]
