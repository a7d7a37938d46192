"""Checks a rendered data set against what it says of itself: every file, every sample, every count.

Section 4 of Kim et al. 2022 for the form; the checksums of `dataset.json` for the content. Published copies, which carry none,
are checked for their form (`training/nlakh/verify_form.py`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.clips import Shards
from training.nlakh.dataset import (
    DATASET_FILE,
    WORK_FOLDER,
    Dataset,
    Unit,
    count_families,
    hours_of,
    read_dataset,
)
from training.nlakh.layouts import MIX_FILE, Checksum
from training.nlakh.plan import MIN_PARTS
from training.nlakh.published import Folder, list_folder, read_wav, scan_folder
from training.nlakh.tables import MIXTURES_FILE, STEMS_FILE, read_tables
from training.nlakh.takes import Samples
from training.nlakh.verify_form import verify_form

ROWS = 256  # of a shard that are read at once

Fault = tuple[str, str]


class _Take(NamedTuple):
    """What is read at once: samples int16 `[n, clip_samples]`, and of a mixture the numbers of the n that play."""

    players: tuple[int, ...]
    samples: Samples


class _Heard:
    """What was found in all mixtures: stems by instrument number, mixtures by size."""

    def __init__(self) -> None:
        self.stems: Counter[int] = Counter()
        self.sizes: Counter[str] = Counter()

    def add(self, players: tuple[int, ...]) -> None:
        self.stems.update(players)
        self.sizes[str(len(players))] += 1


def verify(folder: Path) -> Iterator[Fault]:
    """Yields each fault as (what, why); a sound data set yields none.

    Raises TrainingError when there is no folder, or its `dataset.json` cannot be read.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is no folder", value=str(folder))
    if not (folder / DATASET_FILE).exists():
        is_begun = (folder / WORK_FOLDER).exists()
        yield (
            DATASET_FILE,
            "rendering was not finished" if is_begun else "missing: only the form can be checked",
        )
        if not is_begun:
            yield from verify_form(folder)
        return
    dataset, heard = read_dataset(folder), _Heard()
    for split in dataset.splits:
        try:
            yield from _verify_split(folder, dataset, split, heard)
        except TrainingError as error:
            yield split, error.message
    yield from _verify_counts(dataset, heard)


def _verify_split(folder: Path, dataset: Dataset, split: str, heard: _Heard) -> Iterator[Fault]:
    yield from _strays(folder, dataset, split)
    row, tables = 0, None
    if dataset.kind == "multi" and dataset.layout == "compact":
        tables = read_tables(folder / split, dataset.splits[split].clips)
    for unit in dataset.splits[split].units:
        if tables is not None:
            takes = _shard_mixtures(folder, dataset, unit, row, *tables)
        elif dataset.kind == "multi":
            takes = _folder_mixtures(folder, dataset, split, unit)
        else:
            takes = _clips(folder, dataset, unit)
        yield from _verify_unit(dataset, split, unit, takes, heard)
        row += unit.items


def _verify_unit(
    dataset: Dataset, split: str, unit: Unit, takes: Iterator[_Take | Fault], heard: _Heard
) -> Iterator[Fault]:
    """Faults of a unit's files, then of its checksum; one that cannot be read has no checksum to speak of."""
    known = {row.number for row in dataset.of_split(split)}
    checksum, items, faults = Checksum(dataset.kind == "multi"), 0, 0
    try:
        for found in takes:
            if not isinstance(found, _Take):
                faults += 1
                yield found
                continue
            if strange := set(found.players) - known:
                yield unit.name, f"instrument {min(strange)} is not of this split"
            if dataset.kind == "multi":
                heard.add(found.players)
            checksum.begin(found.players)
            checksum.add(found.samples)
            items += len(found.samples)
    except TrainingError as error:
        yield unit.name, error.message
        return
    if faults:
        return
    if items != unit.items:
        yield unit.name, f"{items} clips are there, {unit.items} were rendered"
    elif checksum.hexdigest() != unit.sha256:
        yield unit.name, "its samples are not those that were rendered (checksum)"


def _clips(folder: Path, dataset: Dataset, unit: Unit) -> Iterator[_Take | Fault]:
    """The clips of a unit of Nlakh-single."""
    if dataset.layout == "compact":
        shard = Shards(folder, [unit], dataset.clip_samples)
        for begin in range(0, unit.items, ROWS):
            yield _Take((), shard.read(np.arange(begin, min(begin + ROWS, unit.items))))
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
) -> Iterator[_Take | Fault]:
    """The mixtures of a shard whose first stem is row `first` of its split."""
    shard = Shards(folder, [unit], dataset.clip_samples)
    edges = offsets[np.searchsorted(offsets, first) : np.searchsorted(offsets, first + unit.items) + 1]
    for begin, until in pairwise(edges.tolist()):
        samples = shard.read(np.arange(begin, until) - first)
        yield _Take(tuple(numbers[begin:until].tolist()), samples)


def _folder_mixtures(folder: Path, dataset: Dataset, split: str, unit: Unit) -> Iterator[_Take | Fault]:
    """The mixtures of a run of folders, and what is wrong with how their stems belong together."""
    first, last = unit.mixtures
    for number in range(first, last + 1):
        name = f"{split}/{number:06d}"
        try:
            mixture = scan_folder(folder / name, number)
        except TrainingError as error:
            yield name, error.message
            continue
        yield from ((f"{name}/{other}", "belongs to no mixture") for other in mixture.others)
        players = tuple(player for player, _ in mixture.files)
        if not MIN_PARTS <= len(players) <= dataset.max_instruments:
            yield name, f"{len(players)} instruments, {MIN_PARTS} to {dataset.max_instruments} are allowed"
            continue
        stems = _read(players, [mixture.path / file for _, file in mixture.files], dataset)
        yield stems
        if isinstance(stems, _Take):
            yield from _verify_mix(name, mixture, stems.samples, dataset)


def _verify_mix(name: str, mixture: Folder, stems: Samples, dataset: Dataset) -> Iterator[Fault]:
    if not mixture.has_mix:
        yield name, f"{MIX_FILE} is missing"
        return
    mix = _read((), [mixture.path / MIX_FILE], dataset)
    if not isinstance(mix, _Take):
        yield mix
    elif not np.array_equal(mix.samples[0], stems.sum(axis=0, dtype=np.int32)):
        yield name, f"the stems do not sum to {MIX_FILE}"


def _read(players: tuple[int, ...], paths: list[Path], dataset: Dataset) -> _Take | Fault:
    """The files as rows, or what is wrong with the first that cannot be used."""
    samples = np.empty((len(paths), dataset.clip_samples), np.int16)
    for row, path in zip(samples, paths, strict=True):
        place = "/".join(path.parts[-3:])
        try:
            row[:], sample_rate = read_wav(path, dataset.clip_samples)
        except TrainingError as error:
            return place, error.message
        if sample_rate != dataset.sample_rate:
            return place, f"is at {sample_rate} Hz, not {dataset.sample_rate}"
    return _Take(players, samples)


def _strays(folder: Path, dataset: Dataset, split: str) -> Iterator[Fault]:
    """Files and folders that belong to no unit, such as what a killed run leaves."""
    if dataset.layout == "folders" and dataset.kind == "multi":
        wanted = {f"{number:06d}" for number in range(1, dataset.splits[split].mixtures + 1)}
    else:
        wanted = {unit.name.partition("/")[2] for unit in dataset.splits[split].units}
        wanted |= {STEMS_FILE, MIXTURES_FILE} if dataset.kind == "multi" else set()
    for name in list_folder(folder / split):
        place = folder / split / name
        if name not in wanted:
            yield f"{split}/{name}", "belongs to no unit"
        elif dataset.kind == "single" and place.is_dir():
            clips = {f"{number:04d}.wav" for number in range(1, dataset.clips_per_instrument(split) + 1)}
            try:
                strange = sorted(set(list_folder(place)) - clips)
            except TrainingError:
                continue  # its clips are told to be unreadable
            yield from ((f"{split}/{name}/{other}", "belongs to no clip") for other in strange)


def _verify_counts(dataset: Dataset, heard: _Heard) -> Iterator[Fault]:
    """What `dataset.json` says in numbers, against its units and what was heard of them."""
    clips: Mapping[int, int] = heard.stems
    if dataset.kind == "single":
        clips = {row.number: dataset.clips_per_instrument(row.split) for row in dataset.instruments}
    for split, info in dataset.splits.items():
        takes = info.mixtures if dataset.kind == "multi" else info.clips
        told = (info.instruments, info.clips, info.hours)
        found = (
            len(dataset.of_split(split)),
            sum(unit.items for unit in info.units),
            hours_of(takes, dataset.clip_samples, dataset.sample_rate),
        )
        if told != found:
            yield split, f"{DATASET_FILE} says {told} instruments, clips and hours, there are {found}"
    pairs = (
        ("families", dataset.families, count_families(dataset.instruments, clips)),
        ("instruments per mixture", dataset.instruments_per_mixture, dict(sorted(heard.sizes.items()))),
        (
            "mixtures",
            sum(info.mixtures for info in dataset.splits.values()),
            sum(heard.sizes.values()),
        ),
    )
    for what, said, counted in pairs:
        if said != counted:
            yield DATASET_FILE, f"{what}: {said} are said, {counted} are there"
