"""`showme data scores`: renders pieces whose notes are known, in MusicNet's form, for frame-level recognition.

Hung & Yang 2018 learn from MusicNet's recordings of chamber music and their aligned scores. Ours are rendered: every other
piece is a production (`training/productions/`: drums, voices, effects, a master), the others are chamber music, one to four of
such parts without drums and voices. A piece depends on (seed, split, number) alone; instruments are split as everywhere else.

A note is labelled as played, from its onset to its end, where its part sounds (within 40 dB of its loudest 20 ms). The keys of
drums and the words of voices have no pitch: they are labelled, without one, for as long as they sound.
"""

import argparse
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from models.errors import TrainingError
from models.front_end import FrontEndConfig
from training.midi import DRUM, MidiCollection
from training.musicnet import NO_PITCH, ScoredNote, instrument_of_family, write_recording
from training.nlakh.dataset import TRAIN, VALID
from training.nlakh.instrument_selection import InstrumentCollection, select_instruments
from training.nlakh.render_options import counts_of, inputs_of
from training.nlakh.single import MAX_DRAWS
from training.nlakh.spec import (
    MIN_PARTS,
    InputPaths,
    PlannedUnit,
    RenderPlan,
    RenderSpec,
    check_limits,
)
from training.nlakh.worker import check_instruments, midi_of_split
from training.processes import worker_pool
from training.productions.arrangement import Cast, Part, ProductionBook, VoicePart, check_players
from training.productions.mixdown import VOICE, Studio
from training.productions.performance import Performance, perform
from training.productions.renderer import is_heard, one_thread
from training.productions.roles import VOCAL
from training.productions.truth import Spans, sounding_spans
from training.splits import MANIFEST

PIECES = {TRAIN: 1_600, VALID: 120, "test-same": 160}
PIECE_SECONDS = 15.0
MOST_CHAMBER_PARTS = 4  # as in MusicNet, of whose recordings none has more of the seven instruments
CHAMBER, PRODUCTION = "chamber", "production"
SIDE = {"test-same": "test"}  # of MusicNet's form

Played = list[tuple[Part | VoicePart, Performance]]


def kind_of(key: str) -> str:
    """The kind of a piece by its id: chamber or production; "" for recordings that were not rendered here."""
    kind = key.partition("_")[0]
    return kind if kind in (CHAMBER, PRODUCTION) else ""


class ScoreRenderer:
    """Renders units of pieces into a folder. `books` holds each split's sections."""

    def __init__(self, plan: RenderPlan, inputs: InputPaths) -> None:
        """Raises TrainingError when a split lacks players, or its MIDI files a section to play."""
        assert inputs.midi is not None
        midi = MidiCollection.read(inputs.midi, cache=inputs.midi_cache)
        self._plan, self._collection = plan, InstrumentCollection(inputs.notes)
        self._studio = Studio(plan.spec.sample_rate)
        self._books = {}
        for split in plan.spec.splits:
            check_players(plan, self._collection, split)
            self._books[split] = ProductionBook(midi_of_split(midi, split), plan.spec.clip_seconds)
            if not self._books[split].has_section():
                raise TrainingError(
                    f"the MIDI files of the split {split} hold no section to play", value=split
                )

    def render(self, folder: Path, unit: PlannedUnit) -> int:
        """Render the pieces of a unit that are not there yet; return their number."""
        missing = [number for number in _numbers(unit) if not _is_there(folder, unit.split, number)]
        if missing:
            cast = Cast(self._plan, self._collection, unit)
            with one_thread():
                for number in missing:
                    self._piece(folder, unit.split, number, cast)
        return unit.count

    def _piece(self, folder: Path, split: str, number: int, cast: Cast) -> None:
        spec = self._plan.spec
        generator = np.random.default_rng([spec.seed, zlib.crc32(split.encode()), number])
        played = self._played(generator, split, number, cast)
        kinds = [VOICE if isinstance(part, VoicePart) else part.instrument.family for part, _ in played]
        stems = self._studio.mix(kinds, [performance.samples for _, performance in played], generator)
        notes = [
            note for part, performance in played for note in labelled(part, performance, spec.sample_rate)
        ]
        side = SIDE.get(split, split)
        write_recording(
            folder,
            side,
            _key(number),
            stems.sum(axis=0, dtype=np.int16),
            spec.sample_rate,
            sorted(notes, key=_order),
        )

    def _played(self, generator: np.random.Generator, split: str, number: int, cast: Cast) -> Played:
        """The parts of a piece; sections with too few parts that sound are drawn again."""
        is_chamber, spec = kind_of(_key(number)) == CHAMBER, self._plan.spec
        for _ in range(MAX_DRAWS):
            parts = cast.arrange(generator, self._books[split].section(generator))
            if is_chamber:
                melodic = [part for part in parts if isinstance(part, Part) and not part.track.is_drum]
                parts = tuple(melodic[: int(generator.integers(1, MOST_CHAMBER_PARTS + 1))])
            heard = [
                (part, performance)
                for part in parts
                if (performance := perform(part, generator, spec.clip_seconds, spec.sample_rate)) is not None
                and is_heard(performance.samples, spec.sample_rate)
            ]
            if len(heard) >= (1 if is_chamber else MIN_PARTS):
                return heard
        message = f"piece {number} of {split} found no section of {MAX_DRAWS} that its instruments can play"
        raise TrainingError(message, value=number, limit=MAX_DRAWS)


def labelled(part: Part | VoicePart, performance: Performance, sample_rate: int) -> Iterator[ScoredNote]:
    """The notes of a part, where it sounds; for drums and voices the spans in which they sound, without pitch."""
    spans = sounding_spans(performance.samples, sample_rate)
    family = VOCAL if isinstance(part, VoicePart) else part.instrument.family
    assert family is not None
    instrument = instrument_of_family(family)
    if isinstance(part, VoicePart) or part.track.is_drum or family == DRUM:
        for start, end in spans:
            yield ScoredNote(start, end, instrument, NO_PITCH)
        return
    for note in performance.notes:
        for start, end in _within(note.start_seconds, note.end_seconds, spans):
            yield ScoredNote(start, end, instrument, note.pitch)


def _within(start: float, end: float, spans: Spans) -> Iterator[tuple[float, float]]:
    """The parts of `start` … `end` that lie in `spans`."""
    for first, last in spans:
        if max(start, first) < min(end, last):
            yield max(start, first), min(end, last)


def _order(note: ScoredNote) -> tuple[float, int, int]:
    return note.start_seconds, note.instrument, note.pitch


def _key(number: int) -> str:
    return f"{PRODUCTION if number % 2 else CHAMBER}_{number:05d}"


def _numbers(unit: PlannedUnit) -> range:
    return range(unit.first + 1, unit.first + unit.count + 1)


def _is_there(folder: Path, split: str, number: int) -> bool:
    return (folder / f"{SIDE.get(split, split)}_labels" / f"{_key(number)}.csv").exists()


def plan_of(spec: RenderSpec, inputs: InputPaths, workers: int, console: Console) -> RenderPlan:
    """The audible instruments with a family, by split. Raises TrainingError when a split stays empty."""
    collection = InstrumentCollection(inputs.notes)
    with console.status("checking the instruments"):
        rows, faults = select_instruments(
            spec,
            collection,
            inputs.read_manifest(),
            lambda ids: check_instruments(spec, inputs, ids, workers=workers, progress=lambda done: None),
        )
    return RenderPlan(spec, tuple(row for row in rows if row.family is not None), faults)


_renderer: ScoreRenderer | None = None  # of a worker process


def _open(plan: RenderPlan, inputs: InputPaths) -> None:
    global _renderer
    _renderer = ScoreRenderer(plan, inputs)


def _render(folder: Path, unit: PlannedUnit) -> int:
    assert _renderer is not None
    return _renderer.render(folder, unit)


def render_scores(spec: RenderSpec, inputs: InputPaths, out: Path, workers: int, console: Console) -> int:
    """Render all pieces that are not there yet; return the number of pieces. Raises TrainingError, SourceError."""
    plan = plan_of(spec, inputs, workers, console)
    units, pieces = list(plan.units()), sum(count for _, count in spec.counts)
    with Progress(console=console) as bar:
        task = bar.add_task("rendering", total=pieces)
        if workers > 1:
            with worker_pool(workers, _open, (plan, inputs)) as pool:
                for done in pool.map(_render, [out] * len(units), units):
                    bar.advance(task, done)
        else:
            renderer = ScoreRenderer(plan, inputs)
            for unit in units:
                bar.advance(task, renderer.render(out, unit))
    return pieces


def run_command(options: argparse.Namespace, console: Console) -> int:
    """Run `showme data scores`."""
    check_limits(workers=options.workers)
    clip_samples = round(PIECE_SECONDS * FrontEndConfig().sample_rate)
    spec = RenderSpec(
        kind="multi",
        layout="folders",
        seed=options.seed,
        counts=counts_of(options.pieces, PIECES, one_for_all=False),
        drums=True,
        production=True,
        clip_samples=clip_samples,
    )
    pieces = render_scores(spec, inputs_of(options), options.out, options.workers, console)
    console.print(f"{escape(str(options.out))}: {pieces:,} pieces of {PIECE_SECONDS:g} s", highlight=False)
    return 0


def add_scores(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", workers: int
) -> argparse.ArgumentParser:
    """Add the command `scores`; `workers` is the default number of processes."""
    command = commands.add_parser(
        "scores", help="render pieces with their notes, for frame-level recognition"
    )
    command.set_defaults(run=run_command, only_probes=False)
    command.add_argument(
        "--notes", action="append", required=True, metavar="PATH", help="as of render; repeatable"
    )
    command.add_argument("--midi", type=Path, required=True, metavar="DIR", help="a tree of MIDI files")
    command.add_argument("--midi-cache", type=Path, metavar="DIR", help="folder that keeps parsed MIDI")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")
    command.add_argument(
        "--pieces",
        action="append",
        default=[],
        metavar="[SPLIT=]N",
        help="pieces of each split (train: 1600)",
    )
    command.add_argument("--splits", type=Path, default=MANIFEST, metavar="FILE", dest="manifest")
    command.add_argument("--seed", type=int, default=1, metavar="S")
    command.add_argument("--workers", type=int, default=workers, metavar="W")
    return command
