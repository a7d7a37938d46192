"""Data sets made of given samples for the tests, written as rendering writes them, in units of a chosen size."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from training.nlakh.dataset import (
    Dataset,
    DatasetInstrument,
    Layout,
    SplitInfo,
    Unit,
    count_families,
    hours_of,
    write_dataset,
)
from training.nlakh.layouts import write_unit
from training.nlakh.plan import Job, Request
from training.nlakh.tables import write_tables
from training.nlakh.takes import Part, Take

SAMPLE_RATE = 16_000


def instruments(count: int, split: str = "train") -> tuple[DatasetInstrument, ...]:
    """Numbered from 1; the third is a probe."""
    return tuple(
        DatasetInstrument(i + 1, f"i{i}", f"I {i}", None, "test", split, None, i, i == 2)
        for i in range(count)
    )


def write_single(
    folder: Path,
    clips: np.ndarray,
    rows: Sequence[DatasetInstrument],
    *,
    layout: Layout = "compact",
    unit_clips: int = 6,
) -> Dataset:
    """Nlakh-single of one split: int16 `clips [instruments · clips, samples]`, in the order of `rows`."""
    each, split = len(clips) // len(rows), rows[0].split
    request = _request("single", layout, split, each, clips.shape[1])
    size = each if layout == "folders" else unit_clips
    units = []
    for number, first in enumerate(range(0, len(clips), size)):
        count = min(size, len(clips) - first)
        name = f"{rows[number].number:03d}" if layout == "folders" else f"shard_{number:05d}.npy"
        job = Job(split, number, first, count, f"{split}/{name}")
        takes = (
            Take(row % each + 1, (Part(rows[row // each].number, clips[row]),))
            for row in range(first, first + count)
        )
        units.append(_written(request, folder, job, takes))
    return _finish(folder, request, rows, units, [])


def write_multi(
    folder: Path,
    mixtures: Sequence[Sequence[tuple[int, np.ndarray]]],
    rows: Sequence[DatasetInstrument],
    *,
    layout: Layout = "compact",
    unit_mixtures: int = 3,
) -> Dataset:
    """Nlakh-multi of one split: each mixture its (instrument number, int16 stem) by number."""
    split, samples = rows[0].split, len(mixtures[0][0][1])
    request = _request("multi", layout, split, len(mixtures), samples)
    units = []
    for number, first in enumerate(range(0, len(mixtures), unit_mixtures)):
        count = min(unit_mixtures, len(mixtures) - first)
        name = f"shard_{number:05d}.npy" if layout == "compact" else f"{first + 1:06d}-{first + count:06d}"
        takes = (
            Take(place + 1, tuple(Part(*stem) for stem in mixtures[place]))
            for place in range(first, first + count)
        )
        units.append(_written(request, folder, Job(split, number, first, count, f"{split}/{name}"), takes))
    played = [tuple(key for key, _ in mixture) for mixture in mixtures]
    if layout == "compact":
        write_tables(folder / split, played)
    return _finish(folder, request, rows, units, played)


def _request(kind: str, layout: Layout, split: str, count: int, clip_samples: int) -> Request:
    return Request(
        kind=kind,  # type: ignore[arg-type]
        layout=layout,
        seed=1,
        counts=((split, count),),
        max_instruments=9,
        level_range_db=6.0,
        drums=False,
        phrases="midi",
        sources=(),
        manifest="",
        midi="",
        sample_rate=SAMPLE_RATE,
        clip_samples=clip_samples,
    )


def _written(request: Request, folder: Path, job: Job, takes: Iterator[Take]) -> Unit:
    return write_unit(request, folder, job, takes, lambda: None).unit


def _finish(
    folder: Path,
    request: Request,
    rows: Sequence[DatasetInstrument],
    units: list[Unit],
    played: list[tuple[int, ...]],
) -> Dataset:
    split, count = request.counts[0]
    clips = sum(unit.items for unit in units)
    hours = hours_of(len(played) or clips, request.clip_samples, request.sample_rate)
    info = SplitInfo(len(rows), clips, len(played), hours, tuple(units))
    parameters = {"mixtures" if played else "clips": {split: count}, "max_instruments": 9}
    stems = Counter(number for row in played for number in row) or {row.number: count for row in rows}
    sizes = Counter(len(row) for row in played)
    dataset = Dataset(
        request.kind,
        request.layout,
        request.sample_rate,
        request.clip_samples,
        request.seed,
        parameters,
        {split: info},
        tuple(rows),
        count_families(rows, stems),
        {str(size): sizes[size] for size in sorted(sizes)},
        (),
        {},
        (),
        request.digest,
    )
    write_dataset(folder, dataset)
    return dataset
