"""Checks a rendered data set against what it says of itself: every file, every sample, every count.

Section 4 of Kim et al. 2022 for the form; the checksums of `dataset.json` for the content. Published copies, which carry none,
are checked for their form.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.errors import TrainingError
from training.nlakh.clips import Shards
from training.nlakh.dataset import DATASET_FILE, WORK_FOLDER, Dataset, Unit, read_dataset
from training.nlakh.layouts import MIX_FILE
from training.nlakh.published import Folder, read_wav, scan
from training.nlakh.tables import MIXTURES_FILE, STEMS_FILE
from training.nlakh.takes import Samples
from training.stem_bank import StemBank

ROWS = 256  # of a shard that are read at once

Fault = tuple[str, str]


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
            yield from _verify_form(folder)
        return
    dataset = read_dataset(folder)
    for split, info in dataset.splits.items():
        listed = sum(unit.items for unit in info.units)
        if info.clips != listed:
            yield split, f"{info.clips} clips are said, its units have {listed}"
        for unit in info.units:
            yield from _verify_unit(folder, dataset, unit)
        yield from _strays(folder, dataset, split)
    if dataset.kind == "multi" and dataset.layout == "compact":
        yield from _verify_tables(folder, dataset)


def _verify_unit(folder: Path, dataset: Dataset, unit: Unit) -> Iterator[Fault]:
    """Faults of a unit's files, then of its checksum; one that cannot be read has no checksum to speak of."""
    digest, items, faults = hashlib.sha256(), 0, 0
    try:
        for found in _samples(folder, dataset, unit):
            if isinstance(found, tuple):
                faults += 1
                yield found
                continue
            digest.update(found.astype("<i2", copy=False).data)
            items += found.size // dataset.clip_samples
    except TrainingError as error:
        yield unit.name, error.message
        return
    if items != unit.items:
        yield unit.name, f"{items} clips are there, {unit.items} were rendered"
    elif not faults and digest.hexdigest() != unit.sha256:
        yield unit.name, "its samples are not those that were rendered (checksum)"


def _samples(folder: Path, dataset: Dataset, unit: Unit) -> Iterator[Samples | Fault]:
    """The samples of a unit in the order of its checksum, between faults of its form."""
    if dataset.layout == "compact":
        shard = Shards(folder, [unit], dataset.clip_samples)
        for begin in range(0, unit.items, ROWS):
            yield shard.read(np.arange(begin, min(begin + ROWS, unit.items)))
    elif dataset.kind == "single":
        place = folder / unit.name
        for number in range(1, unit.items + 1):
            yield _wav(place / f"{number:04d}.wav", dataset)
    else:
        split, _, numbers = unit.name.partition("/")
        first, last = map(int, numbers.split("-"))
        for mixture in _mixtures(folder / split, range(first, last + 1)):
            yield from _verify_mixture(mixture, dataset, split)


def _mixtures(folder: Path, numbers: range) -> Iterator[Folder]:
    for number in numbers:
        path = folder / f"{number:06d}"
        names = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
        files = tuple((int(name[:-4]), name) for name in names if name[:-4].isdecimal())
        yield Folder(number, path, files, MIX_FILE in names)


def _verify_mixture(mixture: Folder, dataset: Dataset, split: str) -> Iterator[Samples | Fault]:
    """Stems by number, then what is wrong with how they belong together."""
    name = f"{split}/{mixture.path.name}"
    total = np.zeros(dataset.clip_samples, np.int32)
    for _, file in mixture.files:
        stem = _wav(mixture.path / file, dataset)
        total += stem
        yield stem
    strange = {number for number, _ in mixture.files} - {row.number for row in dataset.of_split(split)}
    if strange:
        yield name, f"instrument {min(strange)} is not of this split"
    most = dataset.parameters["max_instruments"]
    if not 2 <= len(mixture.files) <= most:
        yield name, f"{len(mixture.files)} instruments, 2 to {most} are allowed"
    if not mixture.has_mix:
        yield name, f"{MIX_FILE} is missing"
    elif not np.array_equal(_wav(mixture.path / MIX_FILE, dataset), total):
        yield name, f"the stems do not sum to {MIX_FILE}"


def _wav(path: Path, dataset: Dataset) -> Samples:
    samples, sample_rate = read_wav(path, dataset.clip_samples)
    if sample_rate != dataset.sample_rate:
        raise TrainingError(f"{path} is at {sample_rate} Hz, not {dataset.sample_rate}", value=sample_rate)
    return samples


def _strays(folder: Path, dataset: Dataset, split: str) -> Iterator[Fault]:
    """Files and folders that belong to no unit, such as what a killed run leaves."""
    if dataset.layout == "folders" and dataset.kind == "multi":
        wanted = {f"{number:06d}" for number in range(1, dataset.splits[split].mixtures + 1)}
    else:
        wanted = {unit.name.partition("/")[2] for unit in dataset.splits[split].units}
        wanted |= {STEMS_FILE, MIXTURES_FILE} if dataset.kind == "multi" else set()
    for item in sorted((folder / split).iterdir() if (folder / split).is_dir() else ()):
        if item.name not in wanted:
            yield f"{split}/{item.name}", "belongs to no unit"
        elif item.is_dir() and dataset.kind == "single":
            clips = {f"{number:04d}.wav" for number in range(1, dataset.clips_per_instrument(split) + 1)}
            strange = sorted({file.name for file in item.iterdir()} - clips)
            yield from ((f"{split}/{item.name}/{name}", "belongs to no clip") for name in strange)


def _verify_tables(folder: Path, dataset: Dataset) -> Iterator[Fault]:
    """The tables of compact mixtures: who plays in which."""
    sizes: Counter[str] = Counter()
    for split in dataset.splits:
        try:
            bank = StemBank.open(folder, split)
        except TrainingError as error:
            yield f"{split}/{MIXTURES_FILE}", error.message
            return
        sizes.update(str(size) for size in np.diff(bank.offsets).tolist())
    if dict(sizes) != dataset.instruments_per_mixture:
        yield (
            MIXTURES_FILE,
            f"mixtures have {dict(sorted(sizes.items()))} instruments, other than {DATASET_FILE} says",
        )


def _verify_form(folder: Path) -> Iterator[Fault]:
    """A published copy: equally long WAV files, as many clips for each instrument, stems that sum to their mixture."""
    for split in sorted(item for item in folder.iterdir() if item.is_dir()):
        counts: Counter[int] = Counter()
        clip_samples: int | None = None
        for found in scan(split):
            try:
                samples = [read_wav(found.path / name, clip_samples)[0] for _, name in found.files]
                clip_samples = len(samples[0]) if samples else clip_samples
                if found.has_mix and not np.array_equal(
                    np.sum(samples, axis=0, dtype=np.int32), read_wav(found.path / MIX_FILE)[0]
                ):
                    yield f"{split.name}/{found.path.name}", f"the stems do not sum to {MIX_FILE}"
            except TrainingError as error:
                yield f"{split.name}/{found.path.name}", error.message
            if not found.has_mix:
                counts[len(found.files)] += 1
        if len(counts) > 1:
            yield split.name, f"instruments have {sorted(counts)} clips: equally many are wanted"
