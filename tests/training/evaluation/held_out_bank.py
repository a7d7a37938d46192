"""A data set on disk with several splits for the evaluation's tests. Its instruments are tones."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.training.nlakh.written import write_single
from tests.training.small_bank import SmallBank
from training.nlakh.dataset import Dataset, DatasetInstrument, count_families, read_dataset, write_dataset

FAMILIES = ("bass", "synth_lead", "mallet", "drum", None)
CLIP_SAMPLES = 80_000


def tones(
    split: str, number: int, clips: int, first: int, clip_samples: int = CLIP_SAMPLES
) -> tuple[np.ndarray, list[DatasetInstrument]]:
    """Return int16 clips `[number · clips, samples]` and instruments numbered from `first`; the last two share a group."""
    small = SmallBank(number, clips, clip_samples=clip_samples, split=split)
    rows = [
        replace(
            row,
            number=first + place,
            id=f"{split}_{place}",
            family=FAMILIES[place % len(FAMILIES)],
            group=first + min(place, number - 2),
        )
        for place, row in enumerate(small.instruments)
    ]
    return small.rows(np.arange(small.num_clips)), rows


def write_splits(
    folder: Path, sizes: dict[str, tuple[int, int]], clip_samples: int = CLIP_SAMPLES
) -> Dataset:
    """Write splits of `sizes[split]` (instruments, clips of each); all instruments but the last of a split are probes."""
    parts: list[Dataset] = []
    for split, (number, clips) in sizes.items():
        first = 1 + sum(len(part.instruments) for part in parts)
        samples, rows = tones(split, number, clips, first, clip_samples)
        rows = [replace(row, probe=place < number - 1) for place, row in enumerate(rows)]
        write_single(folder, samples, rows, unit_clips=100)
        parts.append(read_dataset(folder))
    instruments = tuple(row for part in parts for row in part.instruments)
    whole = replace(
        parts[0],
        splits={name: info for part in parts for name, info in part.splits.items()},
        instruments=instruments,
        parameters=parts[0].parameters | {"clips": {split: clips for split, (_, clips) in sizes.items()}},
        families=count_families(instruments, {}),
    )
    write_dataset(folder, whole)
    return whole
