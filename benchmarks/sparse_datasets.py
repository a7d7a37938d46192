"""Compact data sets of the paper's size and above that use no disk space: real indexes, and sparse shards behind a header.

Section 4 of Kim et al. 2022 renders 953,000 clips and 100,000 mixtures. Every clip here is silence.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.front_end import FrontEndConfig
from training.nlakh.dataset import TRAIN, Dataset, DatasetInstrument, Kind, SplitInfo, Unit, write_dataset
from training.nlakh.layouts import HEADER_BYTES, shard_header, write_tables
from training.nlakh.spec import BLOCK_MIXTURES, SHARD_CLIPS

INSTRUMENTS = 1_000
PARTS = (2, 9)  # fewest and most stems of a mixture
SEED = 0
CLIP_SAMPLES = FrontEndConfig().clip_samples


def write_sparse_single(folder: Path, clips: int) -> None:
    """Write Nlakh-single with a thousand instruments and `clips` in total, a multiple of a thousand."""
    sizes = [min(SHARD_CLIPS, clips - first) for first in range(0, clips, SHARD_CLIPS)]
    _write(folder, "single", sizes, clips // INSTRUMENTS, {})


def write_sparse_multi(folder: Path, mixtures: int) -> None:
    """Write Nlakh-multi with a thousand instruments, two to nine of them in a mixture."""
    generator = np.random.default_rng(SEED)
    counts = generator.integers(PARTS[0], PARTS[1] + 1, mixtures)
    played = [
        tuple(np.sort(generator.choice(INSTRUMENTS, count, replace=False) + 1).tolist())
        for count in counts.tolist()
    ]
    write_tables(folder / TRAIN, played)
    ends = np.cumsum(counts)[
        np.arange(BLOCK_MIXTURES, mixtures + BLOCK_MIXTURES, BLOCK_MIXTURES).clip(max=mixtures) - 1
    ]
    sizes = np.diff(ends, prepend=0).tolist()
    stems, how_often = np.unique(counts, return_counts=True)
    _write(
        folder, "multi", sizes, mixtures, dict(zip(map(str, stems.tolist()), how_often.tolist(), strict=True))
    )


def _write(folder: Path, kind: Kind, sizes: Sequence[int], count: int, per_mixture: dict[str, int]) -> None:
    """Write shards and index; `count` is the number of clips per instrument, or of mixtures."""
    units = tuple(_shards(folder, sizes))
    mixtures = count if kind == "multi" else 0
    hours = (mixtures or sum(sizes)) * FrontEndConfig().clip_seconds / 3600
    rows = tuple(
        DatasetInstrument(number, f"instrument_{number:04d}", f"Instrument {number}", None, "sparse", TRAIN)
        for number in range(1, INSTRUMENTS + 1)
    )
    dataset = Dataset(
        kind=kind,
        layout="compact",
        sample_rate=FrontEndConfig().sample_rate,
        clip_samples=CLIP_SAMPLES,
        seed=SEED,
        parameters={"mixtures" if mixtures else "clips": {TRAIN: count}},
        splits={TRAIN: SplitInfo(len(rows), sum(sizes), mixtures, hours, units)},
        instruments=rows,
        families={},
        instruments_per_mixture=per_mixture,
        sources=(),
        midi={},
        faults=(),
        request="",
    )
    write_dataset(folder, dataset)


def _shards(folder: Path, sizes: Sequence[int]) -> Iterator[Unit]:
    (folder / TRAIN).mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(sizes):
        name = f"{TRAIN}/shard_{number:05d}.npy"
        with (folder / name).open("wb") as file:
            file.write(shard_header(rows, CLIP_SAMPLES))
            file.truncate(HEADER_BYTES + rows * CLIP_SAMPLES * 2)
        yield Unit(name, rows, "0" * 64)
