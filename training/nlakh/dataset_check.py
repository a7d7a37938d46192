"""Checks a data set against its own description: every file, every sample, every count.

The content is compared with the checksums of `dataset.json`. A published copy of Nlakh, which carries none, is checked for its
form (section 4 of Kim et al. 2022): equally long WAV files, as many clips of each instrument, stems that sum to their mixture.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.clips import (
    NumberedFolder,
    Shards,
    list_folder,
    numbered_folders,
    read_folder,
    read_tables,
    read_wav,
)
from training.nlakh.dataset import (
    DATASET_FILE,
    WORK_FOLDER,
    Dataset,
    Fault,
    Unit,
    count_families,
    hours_of,
    read_dataset,
)
from training.nlakh.layouts import MIX_FILE, MIXTURES_FILE, STEMS_FILE
from training.nlakh.rendered import Checksum, Samples
from training.nlakh.spec import MIN_STEMS
from training.productions.truth import TRUTH_FILE, TruthCheck

ROWS = 256  # of a shard that are read at once


class ReadClips(NamedTuple):
    """Clips read at once: int16 `[n, clip_samples]`, and of a mixture the numbers of its n instruments."""

    instruments: tuple[int, ...]
    samples: Samples


class MixtureCounts:
    """Counts over all mixtures: stems by instrument number, mixtures by size."""

    def __init__(self) -> None:
        self.stems: Counter[int] = Counter()
        self.sizes: Counter[str] = Counter()

    def add(self, instruments: tuple[int, ...]) -> None:
        self.stems.update(instruments)
        self.sizes[str(len(instruments))] += 1


def check_dataset(folder: Path) -> Iterator[Fault]:
    """Yield each fault as (what, why); a sound data set yields none.

    Raises TrainingError when there is no folder, or its `dataset.json` cannot be read.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is no folder", value=str(folder))
    if (folder / DATASET_FILE).exists():
        yield from _check_rendered(folder, read_dataset(folder))
    elif (folder / WORK_FOLDER).exists():
        yield DATASET_FILE, "rendering was not finished"
    else:
        yield DATASET_FILE, "missing: only the form can be checked"
        for name in list_folder(folder):
            if (folder / name).is_dir():
                yield from _check_published(folder / name)


def _check_rendered(folder: Path, dataset: Dataset) -> Iterator[Fault]:
    counts = MixtureCounts()
    for split in dataset.splits:
        try:
            yield from _check_split(folder, dataset, split, counts)
        except TrainingError as error:
            yield split, error.message
    yield from _check_counts(dataset, counts)


def _check_split(folder: Path, dataset: Dataset, split: str, counts: MixtureCounts) -> Iterator[Fault]:
    yield from _strays(folder, dataset, split)
    row, tables = 0, None
    truth = None
    if dataset.is_production:
        truth = TruthCheck(folder / split, dataset.of_split(split), dataset.sample_rate)
    if dataset.kind == "multi" and dataset.layout == "compact":
        tables = read_tables(folder / split, dataset.splits[split].clips)
    for unit in dataset.splits[split].units:
        if tables is not None:
            items = _shard_mixtures(folder, dataset, unit, row, *tables)
        elif dataset.kind == "multi":
            items = _folder_mixtures(folder, dataset, split, unit)
        else:
            items = _clips(folder, dataset, unit)
        if truth is not None:
            items = _check_truth(split, items, truth)
        yield from _check_unit(dataset, split, unit, items, counts)
        row += unit.items
    if truth is not None and truth.num_left:
        yield f"{split}/{TRUTH_FILE}", f"it tells of {truth.num_left} productions that are not there"


def _check_unit(
    dataset: Dataset, split: str, unit: Unit, items: Iterator[ReadClips | Fault], counts: MixtureCounts
) -> Iterator[Fault]:
    """The faults of a unit's files, then of its checksum, which needs all files to be readable."""
    known = {row.number for row in dataset.of_split(split)}
    checksum, num_clips, faults = Checksum(dataset.kind == "multi"), 0, 0
    try:
        for found in items:
            if not isinstance(found, ReadClips):
                faults += 1
                yield found
                continue
            if strange := set(found.instruments) - known:
                yield unit.name, f"instrument {min(strange)} is not of this split"
            if dataset.kind == "multi":
                counts.add(found.instruments)
            checksum.add(found.instruments, [found.samples])
            num_clips += len(found.samples)
    except TrainingError as error:
        yield unit.name, error.message
        return
    if faults:
        return
    if num_clips != unit.items:
        yield unit.name, f"{num_clips} clips are there, {unit.items} were rendered"
    elif checksum.hexdigest() != unit.sha256:
        yield unit.name, "its samples are not those that were rendered (checksum)"


def _clips(folder: Path, dataset: Dataset, unit: Unit) -> Iterator[ReadClips | Fault]:
    """The clips of a unit of Nlakh-single."""
    if dataset.layout == "compact":
        shard = Shards(folder, [unit], dataset.clip_samples)
        for begin in range(0, unit.items, ROWS):
            yield ReadClips((), shard.read(np.arange(begin, min(begin + ROWS, unit.items))))
        return
    for number in range(1, unit.items + 1):
        yield _read((), [folder / unit.name / f"{number:04d}.wav"], dataset)


def _shard_mixtures(
    folder: Path,
    dataset: Dataset,
    unit: Unit,
    first: int,
    numbers: NDArray[np.int32],
    offsets: NDArray[np.int64],
) -> Iterator[ReadClips | Fault]:
    """The mixtures of a shard whose first stem is row `first` of its split."""
    shard = Shards(folder, [unit], dataset.clip_samples)
    edges = offsets[np.searchsorted(offsets, first) : np.searchsorted(offsets, first + unit.items) + 1]
    for begin, until in pairwise(edges.tolist()):
        samples = shard.read(np.arange(begin, until) - first)
        yield ReadClips(tuple(numbers[begin:until].tolist()), samples)


def _folder_mixtures(folder: Path, dataset: Dataset, split: str, unit: Unit) -> Iterator[ReadClips | Fault]:
    """The mixtures of a run of folders, and the faults in how their stems belong together."""
    first, last = unit.mixtures
    for number in range(first, last + 1):
        name = f"{split}/{number:06d}"
        try:
            mixture = read_folder(folder / name, number)
        except TrainingError as error:
            yield name, error.message
            continue
        yield from ((f"{name}/{other}", "belongs to no mixture") for other in mixture.others)
        instruments = tuple(key for key, _ in mixture.files)
        if not MIN_STEMS <= len(instruments) <= dataset.max_instruments:
            limit = f"{MIN_STEMS} to {dataset.max_instruments}"
            yield name, f"{len(instruments)} instruments, {limit} are allowed"
            continue
        stems = _read(instruments, [mixture.path / file for _, file in mixture.files], dataset)
        yield stems
        if isinstance(stems, ReadClips):
            yield from _check_mix(name, mixture, stems.samples, dataset)


def _check_mix(name: str, mixture: NumberedFolder, stems: Samples, dataset: Dataset) -> Iterator[Fault]:
    if not mixture.has_mix:
        yield name, f"{MIX_FILE} is missing"
        return
    mix = _read((), [mixture.path / MIX_FILE], dataset)
    if not isinstance(mix, ReadClips):
        yield mix
    elif not np.array_equal(mix.samples[0], stems.sum(axis=0, dtype=np.int32)):
        yield name, f"the stems do not sum to {MIX_FILE}"


def _check_truth(
    split: str, items: Iterator[ReadClips | Fault], truth: TruthCheck
) -> Iterator[ReadClips | Fault]:
    """The productions as they are read, and a fault for each whose truth says otherwise."""
    for found in items:
        yield found
        if isinstance(found, ReadClips) and not truth.agrees(found.instruments, found.samples):
            yield f"{split}/{TRUTH_FILE}", f"instruments {found.instruments} sound otherwise than it says"


def _read(instruments: tuple[int, ...], paths: list[Path], dataset: Dataset) -> ReadClips | Fault:
    """The files as rows, or the fault of the first that cannot be used."""
    samples = np.empty((len(paths), dataset.clip_samples), np.int16)
    for row, path in zip(samples, paths, strict=True):
        place = "/".join(path.parts[-3:])
        try:
            row[:], sample_rate = read_wav(path, dataset.clip_samples)
        except TrainingError as error:
            return place, error.message
        if sample_rate != dataset.sample_rate:
            return place, f"is at {sample_rate} Hz, not {dataset.sample_rate}"
    return ReadClips(instruments, samples)


def _strays(folder: Path, dataset: Dataset, split: str) -> Iterator[Fault]:
    """Files and folders that belong to no unit, such as those of a killed run."""
    if dataset.layout == "folders" and dataset.kind == "multi":
        wanted = {f"{number:06d}" for number in range(1, dataset.splits[split].mixtures + 1)}
    else:
        wanted = {unit.name.partition("/")[2] for unit in dataset.splits[split].units}
        wanted |= {STEMS_FILE, MIXTURES_FILE} if dataset.kind == "multi" else set()
    wanted |= {TRUTH_FILE} if dataset.is_production else set()
    for name in list_folder(folder / split):
        place = folder / split / name
        if name not in wanted:
            yield f"{split}/{name}", "belongs to no unit"
        elif dataset.kind == "single" and place.is_dir():
            clips = {f"{number:04d}.wav" for number in range(1, dataset.clips_per_instrument(split) + 1)}
            try:
                strange = sorted(set(list_folder(place)) - clips)
            except TrainingError:
                continue  # `_clips` reports the clips as unreadable
            yield from ((f"{split}/{name}/{other}", "belongs to no clip") for other in strange)


def _check_counts(dataset: Dataset, counts: MixtureCounts) -> Iterator[Fault]:
    """The numbers of `dataset.json`, compared with its units and with the mixtures that were read."""
    clips: Mapping[int, int] = counts.stems
    if dataset.kind == "single":
        clips = {row.number: dataset.clips_per_instrument(row.split) for row in dataset.instruments}
    for split, info in dataset.splits.items():
        items = info.mixtures if dataset.kind == "multi" else info.clips
        stated = (info.instruments, info.clips, info.hours)
        found = (
            len(dataset.of_split(split)),
            sum(unit.items for unit in info.units),
            hours_of(items, dataset.clip_samples, dataset.sample_rate),
        )
        if stated != found:
            yield split, f"{DATASET_FILE} says {stated} instruments, clips and hours, there are {found}"
    num_mixtures = sum(info.mixtures for info in dataset.splits.values())
    for name, expected, counted in (
        ("families", dataset.families, count_families(dataset.instruments, clips)),
        ("instruments per mixture", dataset.instruments_per_mixture, dict(sorted(counts.sizes.items()))),
        ("mixtures", num_mixtures, sum(counts.sizes.values())),
    ):
        if expected != counted:
            yield DATASET_FILE, f"{name}: it says {expected}, there are {counted}"


def _check_published(split: Path) -> Iterator[Fault]:
    """The form of one split of a published copy. Raises TrainingError when a folder cannot be listed."""
    form: tuple[int, int] | None = None  # clip_samples, sample_rate
    num_clips: Counter[int] = Counter()
    for found in numbered_folders(split):
        if not found.has_mix:
            num_clips[len(found.files)] += 1
        try:
            form = _check_form(found, form)
        except TrainingError as error:
            yield f"{split.name}/{found.path.name}", error.message
    if len(num_clips) > 1:
        yield split.name, f"instruments have {sorted(num_clips)} clips: equally many are wanted"


def _check_form(found: NumberedFolder, form: tuple[int, int] | None) -> tuple[int, int] | None:
    """The form of its files. Raises TrainingError when it is not `form`, and for a mixture that is not its stems' sum."""
    total: NDArray[np.int32] | None = None
    for _, name in found.files:
        samples, sample_rate = read_wav(found.path / name, form[0] if form else None)
        form = form or (len(samples), sample_rate)
        if sample_rate != form[1]:
            message = f"{name} is at {sample_rate} Hz, not {form[1]}"
            raise TrainingError(message, value=sample_rate, limit=form[1])
        if found.has_mix:
            total = samples.astype(np.int32) if total is None else total + samples
    if found.has_mix and (total is None or not np.array_equal(total, read_wav(found.path / MIX_FILE)[0])):
        raise TrainingError(f"the stems do not sum to {MIX_FILE}", value=str(found.path))
    return form
