"""The contents of `dataset.json`, the file that makes a folder a finished data set; rendering writes it last.

Section 4 of Kim et al. 2022 publishes the audio alone; names, families, splits, seed and checksums are ours. Nothing in it
depends on the time, the place or the number of workers of the rendering.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from index.families import family_of_name
from models.atomic import write_atomically
from models.errors import TrainingError

DATASET_FILE = "dataset.json"
WORK_FOLDER = ".rendering"  # the state of a run, beside its units
FORMAT = 1
TRAIN, VALID = "train", "valid"  # the published names of the two splits
UNKNOWN = "unknown"  # counts the instruments without a family

Kind = Literal["single", "multi"]
Layout = Literal["folders", "compact"]
Fault = tuple[str, str]  # (unusable file or instrument, reason)


@dataclass(frozen=True)
class DatasetInstrument:
    """One instrument; `number` names its files, `group` is its split group, `probe` marks a side's retrieval library."""

    number: int
    id: str
    name: str
    family: str | None
    source: str
    split: str
    licence: str | None = None
    group: int | None = None
    probe: bool = False


@dataclass(frozen=True)
class Unit:
    """A shard, an instrument's folder, or a run of mixtures: rendered, resumed and checked as one.

    `items` counts clips or stems. `sha256` is of their int16 samples in order, and of the instruments of each mixture, so
    it does not depend on the layout.
    """

    name: str
    items: int
    sha256: str

    @property
    def mixtures(self) -> tuple[int, int]:
        """Numbers of the first and last mixture of a run. Raises TrainingError when its name is not of that form."""
        first, _, last = self.name.rpartition("/")[2].partition("-")
        if not (first.isdecimal() and last.isdecimal()):
            raise TrainingError(f"{self.name} names no mixtures", value=self.name, limit="000001-000512")
        return int(first), int(last)


@dataclass(frozen=True)
class SplitInfo:
    """Counts of one split: `clips` are clips or stems, `hours` those of clips or of mixtures."""

    instruments: int
    clips: int
    mixtures: int
    hours: float
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class SourceInfo:
    """A source of notes: its name, how many files it reads, and the sha256 over their names and bytes."""

    name: str
    files: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """The whole of `dataset.json`."""

    kind: Kind
    layout: Layout
    sample_rate: int
    clip_samples: int
    seed: int
    parameters: dict[str, Any]
    splits: dict[str, SplitInfo]
    instruments: tuple[DatasetInstrument, ...]
    families: dict[str, dict[str, int]]  # family → instruments, clips
    instruments_per_mixture: dict[str, int]
    sources: tuple[SourceInfo, ...]
    midi: dict[str, Any]
    faults: tuple[Fault, ...]
    request: str  # `RenderSpec.digest`
    format: int = FORMAT

    def of_split(self, split: str) -> tuple[DatasetInstrument, ...]:
        """The instruments of a split, by number."""
        return tuple(instrument for instrument in self.instruments if instrument.split == split)

    def clips_per_instrument(self, split: str) -> int:
        """The number of clips of each instrument in a split of Nlakh-single."""
        return int(self.parameters["clips"][split])

    @property
    def is_production(self) -> bool:
        """Whether the mixtures are productions, which have a file of truth."""
        return bool(self.parameters.get("production", False))

    @property
    def max_instruments(self) -> int:
        """The limit of a mixture of Nlakh-multi; all instruments where none is given."""
        return int(self.parameters.get("max_instruments", len(self.instruments)))


def write_dataset(folder: Path, dataset: Dataset) -> None:
    """Write `dataset.json`: the last act of rendering."""
    write_atomically(folder / DATASET_FILE, (json.dumps(asdict(dataset), indent=1) + "\n").encode())


def read_dataset(folder: Path) -> Dataset:
    """The description of a data set. Raises TrainingError when the folder holds no finished one of this format."""
    path = folder / DATASET_FILE
    try:
        raw = json.loads(path.read_text())
        if raw["format"] != FORMAT:
            raise TrainingError(f"{path} is of format {raw['format']}", value=raw["format"], limit=FORMAT)
        raw["instruments"] = tuple(DatasetInstrument(**row) for row in raw["instruments"])
        raw["sources"] = tuple(SourceInfo(**row) for row in raw["sources"])
        raw["faults"] = tuple((str(what), str(why)) for what, why in raw["faults"])
        raw["splits"] = {name: _split(row) for name, row in raw["splits"].items()}
        return _checked(Dataset(**raw))
    except FileNotFoundError as error:
        raise TrainingError(
            f"{folder} holds no {DATASET_FILE}: it is no data set, or was not rendered to its end",
            value=str(folder),
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} cannot be read: {error!r}", value=str(path)) from error


def open_dataset(folder: Path, split: str, kind: Kind) -> Dataset | None:
    """The description of a data set to be read; None for a published copy, which has folders only.

    An instrument without a family gets the one that its name tells: data sets made earlier know no pads and effects.
    Raises TrainingError when it is of the other kind, has no such split, or is neither a data set nor a published copy.
    """
    if not (folder / DATASET_FILE).exists():
        if (folder / split).is_dir() and not (folder / WORK_FOLDER).exists():
            return None
        raise TrainingError(
            f"{folder} holds neither {DATASET_FILE} nor a published folder {split}: render it to its end first",
            value=str(folder),
        )
    dataset = read_dataset(folder)
    if dataset.kind != kind or split not in dataset.splits:
        known = ", ".join(dataset.splits)
        message = f"{folder} is Nlakh-{dataset.kind} with the splits {known}, not Nlakh-{kind} with {split}"
        raise TrainingError(message, value=split, limit=known)
    named = (replace(row, family=row.family or family_of_name(row.name)) for row in dataset.instruments)
    return replace(dataset, instruments=tuple(named))


def _checked(dataset: Dataset) -> Dataset:
    """The description itself. Raises ValueError, KeyError or TypeError when its parts contradict each other."""
    if dataset.kind not in get_args(Kind) or dataset.layout not in get_args(Layout):
        raise ValueError(f"{dataset.kind!r} in {dataset.layout!r} is unknown")
    counts = dataset.parameters["clips" if dataset.kind == "single" else "mixtures"]
    if {name for name, count in counts.items() if int(count) > 0} != set(dataset.splits):
        raise ValueError(f"counts of {sorted(counts)} for the splits {sorted(dataset.splits)}")
    return dataset


def hours_of(items: int, clip_samples: int, sample_rate: int) -> float:
    """The duration of `items` clips or mixtures in hours."""
    return round(items * clip_samples / sample_rate / 3600, 4)


def _split(row: dict[str, Any]) -> SplitInfo:
    info = SplitInfo(**row)
    return replace(info, units=tuple(Unit(**unit) for unit in row["units"]))


def count_families(
    instruments: Iterable[DatasetInstrument], clips: Mapping[int, int]
) -> dict[str, dict[str, int]]:
    """Count the instruments and clips of each family (UNKNOWN where there is none); `clips` by instrument number."""
    counts: dict[str, dict[str, int]] = {}
    for instrument in instruments:
        row = counts.setdefault(instrument.family or UNKNOWN, {"instruments": 0, "clips": 0})
        row["instruments"] += 1
        row["clips"] += clips.get(instrument.number, 0)
    return dict(sorted(counts.items()))
