"""Makes a data set from start to end: hash the sources, read the MIDI, check the instruments, render, describe.

Section 4 of Kim et al. 2022. Every step either is repeated exactly or was remembered, so an interrupted run carries on.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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

from index.sources.default import default_soundfont
from index.sources.nsynth import Missing
from models.errors import TrainingError
from training.midi import MidiCollection
from training.nlakh.casting import Checked, Library, cast, hash_source
from training.nlakh.dataset import WORK_FOLDER, Dataset, Kind, Layout, read_dataset
from training.nlakh.finishing import finish
from training.nlakh.plan import MIN_PARTS, Phrases, Plan, Request
from training.nlakh.rendering import check_instruments, render_missing
from training.nlakh.work_folder import (
    check_is_ours,
    is_finished,
    keep_plan,
    kept_plan,
    only_run,
    recall,
    stops_in_words,
    tidy,
)
from training.nlakh.workshop import Materials
from training.splits import MANIFEST, Row, probes_only, read_manifest

DEFAULT_NOTES = "default"  # stands for the SoundFont of the default library
MAX_COUNT = 1_000_000  # clips of an instrument, or mixtures, of a split: a thousand and ten times the paper's
LIMITS = {  # lowest and highest value of what is asked for
    "seed": (0, 2**63 - 1),
    "workers": (1, 256),
    "max_instruments": (MIN_PARTS, 100),
    "level_range_db": (0.0, 30.0),  # beyond, the quietest stems vanish in rounding
    "valid_share": (0.0, 1.0),
}


@dataclass(frozen=True)
class Order:
    """What the user asks for; `counts` are clips per instrument, or mixtures, of each split."""

    kind: Kind
    layout: Layout
    notes: tuple[str, ...]
    midi: Path | None
    out: Path
    counts: tuple[tuple[str, int], ...]
    seed: int = 1
    workers: int = 1
    max_instruments: int = 9
    level_range_db: float = 6.0
    drums: bool = False
    phrases: Phrases = "midi"
    manifest: Path = MANIFEST
    probes: bool = False  # of the manifest's instruments only those that form the sides' retrieval libraries
    valid_share: float = 0.05
    midi_cache: Path | None = None
    missing: Missing = "nearest"

    def __post_init__(self) -> None:
        """Raises TrainingError for what cannot be rendered, before anything is read."""
        for name, (low, high) in LIMITS.items():
            check_within(name, getattr(self, name), low, high)
        if not self.counts:
            raise TrainingError("at least one split is needed", value=self.counts, limit=1)
        for split, count in self.counts:
            check_within(f"the count of {split}", count, 1, MAX_COUNT)
        if self.kind == "multi" and self.midi is None:
            raise TrainingError("Nlakh-multi needs MIDI files", value=None, limit="a folder of MIDI files")

    def read_manifest(self) -> dict[str, Row]:
        """The sides of the instruments, as far as they take part."""
        rows = read_manifest(self.manifest)
        return probes_only(rows) if self.probes else rows

    @property
    def materials(self) -> Materials:
        notes = tuple(default_soundfont() if name == DEFAULT_NOTES else Path(name) for name in self.notes)
        cache = self.midi_cache or self.out / WORK_FOLDER / "midi"
        return Materials(notes, self.midi, cache, self.missing)


def check_within(name: str, value: float, low: float, high: float) -> None:
    """Raises TrainingError for a value outside its limits, or none at all (NaN)."""
    if not low <= value <= high:
        limit = f"{low:,} to {high:,}"
        raise TrainingError(f"{name} is {value:,}, {limit} is allowed", value=value, limit=limit)


class SpeedColumn(ProgressColumn):
    """Takes a second since this run began."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['unit']}/s {task.speed or 0:,.0f}" if task.speed else "")


def make(order: Order, console: Console) -> Dataset:
    """Render what is ordered, or what is left of it, and return its description.

    Raises TrainingError or SourceError; the folder is then either untouched or can be carried on with.
    """
    check_is_ours(order.out)
    if is_finished(order.out):
        return _finished(order, console)
    with only_run(order.out), stops_in_words(order.out):
        if is_finished(order.out):  # by the run that was at work until now
            return _finished(order, console)
        return _carry_on(order, console)


def _carry_on(order: Order, console: Console) -> Dataset:
    """Render what is not there yet, in a folder that is ours alone."""
    library, midi, request = _open(order, console)
    with _progress(console) as bar:
        plan = kept_plan(request, order.out)
        if plan is None:
            plan = _new_plan(order, request, library, bar)
            keep_plan(plan, order.out)
        _render(order, plan, order.materials, bar)
    return finish(plan, midi, order.out)


def _open(order: Order, console: Console) -> tuple[Library, MidiCollection | None, Request]:
    with console.status("reading the notes and the MIDI files"):
        library = Library(order.materials.notes, order.missing)
        midi = _read_midi(order, order.materials)
        return library, midi, _request(order, library, midi)


def _read_midi(order: Order, materials: Materials) -> MidiCollection | None:
    if materials.midi is None:
        return None
    cache = order.midi_cache if is_finished(order.out) else materials.midi_cache
    return MidiCollection.read(materials.midi, workers=order.workers, cache=cache)


def _request(order: Order, library: Library, midi: MidiCollection | None) -> Request:
    return Request(
        kind=order.kind,
        layout=order.layout,
        seed=order.seed,
        counts=order.counts,
        max_instruments=order.max_instruments,
        level_range_db=order.level_range_db,
        drums=order.drums,
        phrases=order.phrases,
        sources=tuple(hash_source(source.name, source.files) for source in library.sources),
        manifest=hashlib.sha256(json.dumps(order.read_manifest()).encode()).hexdigest(),
        midi=midi.fingerprint if midi else None,
        valid_share=order.valid_share,
        missing=order.missing,
    )


def _finished(order: Order, console: Console) -> Dataset:
    """The data set that is there. Raises TrainingError when it is another than is ordered."""
    dataset = read_dataset(order.out)
    _, _, request = _open(order, console)
    if dataset.request != request.digest:
        raise TrainingError(f"{order.out} holds another finished data set", value=str(order.out))
    tidy(order.out)  # of a run that was killed after its last step
    return dataset


def _new_plan(order: Order, request: Request, library: Library, bar: Progress) -> Plan:
    def check(ids: Sequence[str]) -> Iterator[Checked]:
        task = bar.add_task("checking", total=len(ids), unit="instruments")
        yield from check_instruments(
            order.materials, ids, workers=order.workers, heard=lambda done: bar.update(task, completed=done)
        )

    instruments, faults = cast(
        library,
        order.read_manifest(),
        request.splits,
        check,
        seed=request.seed,
        valid_share=request.valid_share,
        drums=request.drums,
    )
    return Plan(request, instruments, faults)


def _render(order: Order, plan: Plan, materials: Materials, bar: Progress) -> None:
    jobs = list(plan.jobs())
    total = sum(job.count for job in jobs)
    there = sum(job.count for job in jobs if recall(order.out, job) is not None)
    unit = "clips" if order.kind == "single" else "mixtures"
    task = bar.add_task("rendering", total=total, completed=there, unit=unit)
    render_missing(
        plan,
        materials,
        order.out,
        workers=order.workers,
        progress=lambda done: bar.update(task, completed=there + done),
    )


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        SpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, speed_estimate_period=60)
