"""The last step of rendering: tables of the mixtures for training, and `dataset.json` with its counts and checksums.

Section 4 of Kim et al. 2022; what is written here follows from the finished units alone.
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.midi import MidiCollection
from training.nlakh.dataset import Dataset, SplitInfo, count_families, hours_of, write_dataset
from training.nlakh.layouts import Written
from training.nlakh.plan import Plan
from training.nlakh.tables import write_tables
from training.nlakh.work_folder import recall, tidy


def finish(plan: Plan, midi: MidiCollection | None, folder: Path) -> Dataset:
    """Write the tables and `dataset.json` of a folder whose units are all there, and forget the work folder."""
    written: dict[str, list[Written]] = {split: [] for split in plan.request.splits}
    for job in plan.jobs():
        unit = recall(folder, job)
        assert unit is not None, f"{job.place} was not rendered"
        written[job.split].append(unit)
    mixtures = {split: [row for unit in units for row in unit.mixtures] for split, units in written.items()}
    if plan.request.kind == "multi" and plan.request.layout == "compact":
        for split, rows in mixtures.items():
            write_tables(folder / split, rows)
    dataset = describe(plan, midi, written, mixtures)
    write_dataset(folder, dataset)
    tidy(folder)
    return dataset


def describe(
    plan: Plan,
    midi: MidiCollection | None,
    written: dict[str, list[Written]],
    mixtures: dict[str, list[tuple[int, ...]]],
) -> Dataset:
    """All that `dataset.json` says of a rendered plan."""
    request = plan.request
    if request.kind == "single":
        counts = dict(request.counts)
        clips = {row.number: counts[row.split] for row in plan.instruments}
    else:
        clips = dict(Counter(number for rows in mixtures.values() for row in rows for number in row))
    sizes = Counter(len(row) for rows in mixtures.values() for row in rows)
    return Dataset(
        kind=request.kind,
        layout=request.layout,
        sample_rate=request.sample_rate,
        clip_samples=request.clip_samples,
        seed=request.seed,
        parameters=_parameters(plan),
        splits={split: _split(plan, split, units, mixtures[split]) for split, units in written.items()},
        instruments=plan.instruments,
        families=count_families(plan.instruments, clips),
        instruments_per_mixture={str(size): sizes[size] for size in sorted(sizes)},
        sources=request.sources,
        midi=_midi(midi),
        faults=_faults(plan, midi, written),
        request=request.digest,
    )


def _faults(
    plan: Plan, midi: MidiCollection | None, written: dict[str, list[Written]]
) -> tuple[tuple[str, str], ...]:
    """What the sources lack, each named once: known from the start, found when it was played, and of the MIDI files."""
    played = {fault for units in written.values() for found in units for fault in found.faults}
    return (*plan.faults, *sorted(played - set(plan.faults)), *(midi.faults if midi else ()))


def _parameters(plan: Plan) -> dict[str, Any]:
    """What was asked for beyond the fields that stand for themselves."""
    request = asdict(plan.request)
    names = (
        ("max_instruments", "level_range_db", "drums", "missing")
        if plan.request.kind == "multi"
        else ("phrases", "drums", "missing")
    )
    count = "mixtures" if plan.request.kind == "multi" else "clips"
    return {count: dict(plan.request.counts), "valid_share": plan.request.valid_share} | {
        name: request[name] for name in names
    }


def _split(plan: Plan, split: str, units: list[Written], mixtures: list[tuple[int, ...]]) -> SplitInfo:
    takes = plan.num_takes(split)
    return SplitInfo(
        instruments=len(plan.of_split(split)),
        clips=sum(written.unit.items for written in units),
        mixtures=len(mixtures),
        hours=hours_of(takes, plan.request.clip_samples, plan.request.sample_rate),
        units=tuple(written.unit for written in units),
    )


def _midi(midi: MidiCollection | None) -> dict[str, Any]:
    if midi is None:
        return {}
    return {"sha256": midi.fingerprint, "files": len(midi.files), "left_out": len(midi.faults)}
