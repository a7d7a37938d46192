"""Write data sets of given samples in the layout of rendered ones, with units of a chosen size."""

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
from training.nlakh.layouts import write_tables, write_unit
from training.nlakh.rendered import RenderedItem, Stem
from training.nlakh.spec import PlannedUnit, RenderSpec

SAMPLE_RATE = 16_000


def instruments(count: int, split: str = "train") -> tuple[DatasetInstrument, ...]:
    """Return instruments numbered from 1; the third is a probe."""
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
    """Write Nlakh-single with one split: int16 `clips [instruments · clips, samples]`, in the order of `rows`."""
    each, split = len(clips) // len(rows), rows[0].split
    spec = _spec("single", layout, split, each, clips.shape[1])
    size = each if layout == "folders" else unit_clips
    units = []
    for number, first in enumerate(range(0, len(clips), size)):
        count = min(size, len(clips) - first)
        name = f"{rows[number].number:03d}" if layout == "folders" else f"shard_{number:05d}.npy"
        planned = PlannedUnit(split, number, first, count, f"{split}/{name}")
        items = (
            RenderedItem(row % each + 1, (Stem(rows[row // each].number, clips[row]),))
            for row in range(first, first + count)
        )
        units.append(_written(spec, folder, planned, items))
    return _finish(folder, spec, rows, units, [])


def write_multi(
    folder: Path,
    mixtures: Sequence[Sequence[tuple[int, np.ndarray]]],
    rows: Sequence[DatasetInstrument],
    *,
    layout: Layout = "compact",
    unit_mixtures: int = 3,
) -> Dataset:
    """Write Nlakh-multi with one split; each mixture is a list of (instrument number, int16 stem)."""
    split, samples = rows[0].split, len(mixtures[0][0][1])
    spec = _spec("multi", layout, split, len(mixtures), samples)
    units = []
    for number, first in enumerate(range(0, len(mixtures), unit_mixtures)):
        count = min(unit_mixtures, len(mixtures) - first)
        name = f"shard_{number:05d}.npy" if layout == "compact" else f"{first + 1:06d}-{first + count:06d}"
        items = (
            RenderedItem(place + 1, tuple(Stem(*stem) for stem in mixtures[place]))
            for place in range(first, first + count)
        )
        units.append(
            _written(spec, folder, PlannedUnit(split, number, first, count, f"{split}/{name}"), items)
        )
    played = [tuple(key for key, _ in mixture) for mixture in mixtures]
    if layout == "compact":
        write_tables(folder / split, played)
    return _finish(folder, spec, rows, units, played)


def _spec(kind: str, layout: Layout, split: str, count: int, clip_samples: int) -> RenderSpec:
    return RenderSpec(
        kind=kind,  # type: ignore[arg-type]
        layout=layout,
        seed=1,
        counts=((split, count),),
        midi="",
        sample_rate=SAMPLE_RATE,
        clip_samples=clip_samples,
    )


def _written(spec: RenderSpec, folder: Path, planned: PlannedUnit, items: Iterator[RenderedItem]) -> Unit:
    return write_unit(spec, folder, planned, items, lambda: None).unit


def _finish(
    folder: Path,
    spec: RenderSpec,
    rows: Sequence[DatasetInstrument],
    units: list[Unit],
    played: list[tuple[int, ...]],
) -> Dataset:
    split, count = spec.counts[0]
    clips = sum(unit.items for unit in units)
    hours = hours_of(len(played) or clips, spec.clip_samples, spec.sample_rate)
    info = SplitInfo(len(rows), clips, len(played), hours, tuple(units))
    parameters = {"mixtures" if played else "clips": {split: count}, "max_instruments": 9}
    stems = Counter(number for row in played for number in row) or {row.number: count for row in rows}
    sizes = Counter(len(row) for row in played)
    dataset = Dataset(
        spec.kind,
        spec.layout,
        spec.sample_rate,
        spec.clip_samples,
        spec.seed,
        parameters,
        {split: info},
        tuple(rows),
        count_families(rows, stems),
        {str(size): sizes[size] for size in sorted(sizes)},
        (),
        {},
        (),
        spec.digest,
    )
    write_dataset(folder, dataset)
    return dataset
