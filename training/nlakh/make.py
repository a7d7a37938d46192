"""Makes a data set: read the inputs, select the instruments, render the missing units, write `dataset.json`.

Section 4 of Kim et al. 2022. Each step is either repeatable or recorded, so an interrupted run resumes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from models.errors import TrainingError
from training.midi import MidiCollection
from training.nlakh.dataset import (
    WORK_FOLDER,
    Dataset,
    Fault,
    SplitInfo,
    count_families,
    hours_of,
    read_dataset,
    write_dataset,
)
from training.nlakh.instrument_selection import InstrumentCheck, InstrumentCollection, select_instruments
from training.nlakh.layouts import write_tables
from training.nlakh.rendered import UnitRecord
from training.nlakh.resume import (
    check_folder,
    explain_os_errors,
    is_finished,
    load_plan,
    load_unit,
    lock_folder,
    remove_work_dir,
    save_plan,
)
from training.nlakh.spec import InputPaths, RenderPlan, RenderSpec, check_limits
from training.nlakh.worker import check_instruments, render_missing
from training.productions.truth import write_truth


def make(spec: RenderSpec, inputs: InputPaths, out: Path, console: Console, *, workers: int = 1) -> Dataset:
    """Render a data set into `out`, or its missing units, and return its description.

    Raises TrainingError or SourceError; the folder is then either untouched or can be resumed.
    """
    check_limits(workers=workers)
    if spec.is_multi and inputs.midi is None:
        raise TrainingError("Nlakh-multi needs MIDI files", value=None, limit="a folder of MIDI files")
    check_folder(out)
    run = RenderRun(spec, inputs, out, console, workers)
    if is_finished(out):
        return run.existing()
    with lock_folder(out), explain_os_errors(out):
        if is_finished(out):  # by the run that held the lock until now
            return run.existing()
        return run.render()


class SpeedColumn(ProgressColumn):
    """Items a second since this run began."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['unit']}/s {task.speed or 0:,.0f}" if task.speed else "")


@dataclass(frozen=True)
class RenderRun:
    """One call of `make`."""

    spec: RenderSpec
    inputs: InputPaths
    out: Path
    console: Console
    workers: int

    def existing(self) -> Dataset:
        """The finished data set in the folder. Raises TrainingError when it has another specification."""
        dataset = read_dataset(self.out)
        _, _, spec = self._read_inputs(self.inputs)
        if dataset.request != spec.digest:
            raise TrainingError(f"{self.out} holds another finished data set", value=str(self.out))
        remove_work_dir(self.out)  # a run that was killed in its last step left it
        return dataset

    def render(self) -> Dataset:
        """Render the missing units into a folder that no other run uses."""
        cache = self.inputs.midi_cache or self.out / WORK_FOLDER / "midi"
        inputs = replace(self.inputs, midi_cache=cache)
        collection, midi, spec = self._read_inputs(inputs)
        with self._progress() as bar:
            plan = load_plan(self.out, spec)
            if plan is None:
                plan = self._plan(spec, collection, bar)
                save_plan(self.out, plan)
            self._render_units(plan, inputs, bar)
        return finish(plan, midi, self.out)

    def _read_inputs(
        self, inputs: InputPaths
    ) -> tuple[InstrumentCollection, MidiCollection | None, RenderSpec]:
        """The instruments, the MIDI files, and the specification with the hashes of both."""
        with self.console.status("reading the notes and the MIDI files"):
            collection = InstrumentCollection(inputs.notes, self.spec.missing)
            midi = None
            if inputs.midi is not None:
                midi = MidiCollection.read(inputs.midi, workers=self.workers, cache=inputs.midi_cache)
            fingerprint = midi.fingerprint if midi else None
            return (
                collection,
                midi,
                self.spec.with_inputs(collection.hashes(), inputs.read_manifest(), fingerprint),
            )

    def _plan(self, spec: RenderSpec, collection: InstrumentCollection, bar: Progress) -> RenderPlan:
        def check(ids: Sequence[str]) -> Iterator[InstrumentCheck]:
            task = bar.add_task("checking", total=len(ids), unit="instruments")
            yield from check_instruments(
                spec,
                self.inputs,
                ids,
                workers=self.workers,
                progress=lambda done: bar.update(task, completed=done),
            )

        return RenderPlan(spec, *select_instruments(spec, collection, self.inputs.read_manifest(), check))

    def _render_units(self, plan: RenderPlan, inputs: InputPaths, bar: Progress) -> None:
        units = list(plan.units())
        total = sum(unit.count for unit in units)
        there = sum(unit.count for unit in units if load_unit(self.out, unit) is not None)
        noun = "mixtures" if plan.spec.is_multi else "clips"
        task = bar.add_task("rendering", total=total, completed=there, unit=noun)
        render_missing(
            plan,
            inputs,
            self.out,
            workers=self.workers,
            progress=lambda done: bar.update(task, completed=there + done),
        )

    def _progress(self) -> Progress:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            SpeedColumn(),
            TimeRemainingColumn(),
        )
        return Progress(*columns, console=self.console, speed_estimate_period=60)


Records = dict[str, list[UnitRecord]]  # of each split, in order


def finish(plan: RenderPlan, midi: MidiCollection | None, folder: Path) -> Dataset:
    """Write the tables and `dataset.json` of a folder whose units are all there, and remove the work folder."""
    records: Records = {split: [] for split in plan.spec.splits}
    for unit in plan.units():
        record = load_unit(folder, unit)
        assert record is not None, f"{unit.place} was not rendered"
        records[unit.split].append(record)
    if plan.spec.is_multi and plan.spec.layout == "compact":
        for split, found in records.items():
            write_tables(folder / split, _mixtures(found))
    if plan.spec.production:
        for split, found in records.items():
            spans = [sounding for record in found for sounding in record.spans]
            write_truth(folder / split, plan.of_split(split), _mixtures(found), spans)
    dataset = describe(plan, midi, records)
    write_dataset(folder, dataset)
    remove_work_dir(folder)
    return dataset


def describe(plan: RenderPlan, midi: MidiCollection | None, records: Records) -> Dataset:
    """The description of a rendered plan; it follows from the plan and the unit records alone."""
    spec = plan.spec
    mixtures = [row for found in records.values() for row in _mixtures(found)]
    sizes = Counter(map(len, mixtures))
    counts = dict(spec.counts)
    clips = {row.number: counts[row.split] for row in plan.instruments}
    if spec.is_multi:
        clips = dict(Counter(number for row in mixtures for number in row))
    return Dataset(
        kind=spec.kind,
        layout=spec.layout,
        sample_rate=spec.sample_rate,
        clip_samples=spec.clip_samples,
        seed=spec.seed,
        parameters=_parameters(spec),
        splits={split: _split_info(plan, split, found) for split, found in records.items()},
        instruments=plan.instruments,
        families=count_families(plan.instruments, clips),
        instruments_per_mixture={str(size): sizes[size] for size in sorted(sizes)},
        sources=spec.sources,
        midi=_midi_info(midi),
        faults=_faults(plan, midi, records),
        request=spec.digest,
    )


def _mixtures(records: list[UnitRecord]) -> list[tuple[int, ...]]:
    """The instrument numbers of each mixture of a split."""
    return [row for record in records for row in record.mixtures]


def _faults(plan: RenderPlan, midi: MidiCollection | None, records: Records) -> tuple[Fault, ...]:
    """All faults, each once: those found in planning, those found in playing, those of the MIDI files."""
    played = {fault for found in records.values() for record in found for fault in record.faults}
    return (*plan.faults, *sorted(played - set(plan.faults)), *(midi.faults if midi else ()))


def _parameters(spec: RenderSpec) -> dict[str, Any]:
    """The settings that have no field of their own in `dataset.json`."""
    settings = asdict(spec)
    names = ("max_instruments", "level_range_db") if spec.is_multi else ("phrases",)
    count = "mixtures" if spec.is_multi else "clips"
    names = (*names, "production") if spec.production else names
    return {count: dict(spec.counts), "valid_share": spec.valid_share} | {
        name: settings[name] for name in (*names, "drums", "missing")
    }


def _split_info(plan: RenderPlan, split: str, records: list[UnitRecord]) -> SplitInfo:
    return SplitInfo(
        instruments=len(plan.of_split(split)),
        clips=sum(record.unit.items for record in records),
        mixtures=len(_mixtures(records)),
        hours=hours_of(plan.num_items(split), plan.spec.clip_samples, plan.spec.sample_rate),
        units=tuple(record.unit for record in records),
    )


def _midi_info(midi: MidiCollection | None) -> dict[str, Any]:
    if midi is None:
        return {}
    return {"sha256": midi.fingerprint, "files": len(midi.files), "left_out": len(midi.faults)}
