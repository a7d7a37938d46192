"""Small data sets of either kind for the rendering tests, made by `make` or on the command line.

The notes and the MIDI files come from `conftest`.
"""

from pathlib import Path
from typing import Any

from rich.console import Console

from training.nlakh.dataset import Dataset, Kind, Layout
from training.nlakh.make import make
from training.nlakh.spec import InputPaths, RenderSpec

CLIPS, MIXTURES = 3, 12


def render(
    notes: Path,
    midi: Path | None,
    out: Path,
    kind: Kind = "single",
    layout: Layout = "compact",
    *,
    workers: int = 1,
    manifest: Path | None = None,
    **settings: Any,
) -> Dataset:
    """Render a small data set. `settings` are fields of a `RenderSpec`; a manifest supplies only the probes."""
    counts = (("train", CLIPS), ("valid", CLIPS)) if kind == "single" else (("train", MIXTURES),)
    given = {"counts": counts, "seed": 3, "valid_share": 0.3} | settings
    inputs = InputPaths((notes,), midi)
    if manifest is not None:
        inputs = InputPaths((notes,), midi, manifest=manifest, only_probes=True)
    spec = RenderSpec(kind=kind, layout=layout, **given)
    return make(spec, inputs, out, Console(quiet=True), workers=workers)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder by relative name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def arguments(notes: Path, midi: Path, out: Path, kind: str, *more: str) -> list[str]:
    """Return the command line that renders the same data set as `render`."""
    given = ["render", kind, "--notes", str(notes), "--midi", str(midi), "--out", str(out)]
    return [*given, "--seed", "3", "--valid-share", "0.3", "--workers", "1", *more]
