"""`showme evaluate notes`: the notes of each lane of the service's answer against those that its instrument played.

Mixtures of one, two and three parts, fifteen seconds each: sections of held-out MIDI files, played by held-out instruments as
people would play them (`training/productions/performance.py`), at levels within ±4 dB. Lanes are those of an answer from the
default library. Each is assigned a stem by its embedding (Hungarian method); a lane without a stem has no true notes. A note is
right within 50 ms of its onset, at its pitch, as MIREX counts. What each lane isolates is compared with its stem.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from scipy.optimize import linear_sum_assignment

from index.lane_families import families_of_lanes
from index.recognition import timeline_of
from index.retrieval import encode_samples, lane_evidence, retrieve
from models.device import DEVICES
from models.encoder_pair import EncoderPair
from models.errors import TrainingError
from models.recognition.frame_level_recogniser import resampled
from models.recognition.lane_notes import (
    CONFIDENT,
    LEAST_ONSET,
    SoundingLane,
    notes_of_lanes,
)
from models.recognition.notes import HeardNote, read_notes
from models.recognition.pitch_estimator import PitchEstimator
from models.tracks import Track
from training.commands import cli_errors
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.embeddings import unit
from training.evaluation.enrolled_library import EnrolledLibrary, default_library
from training.evaluation.isolated_lanes import IsolatedLane, isolated_lane, isolation_table
from training.evaluation.metrics import Floats, Values
from training.evaluation.report import (
    Report,
    ReportRow,
    Table,
    command_line,
    describe_machine,
    print_table,
    write_report,
)
from training.midi import MidiCollection
from training.mixing import active_rms
from training.nlakh.dataset import VALID
from training.nlakh.instrument_selection import InstrumentCollection, check_instrument, select_instruments
from training.nlakh.multi import InstrumentPool
from training.nlakh.spec import RenderPlan, RenderSpec
from training.nlakh.worker import midi_of_split
from training.phrases import Phrase
from training.productions.arrangement import Part, ProductionBook
from training.productions.performance import perform
from training.productions.renderer import is_heard
from training.recognition.note_scores import Onset, matched_notes
from training.splits import MANIFEST, read_manifest

NAME = "notes"
NUMBERS = (1, 2, 3)  # parts of a mixture
SECONDS = 15
GAIN_DB, LEVEL = 4.0, 0.05
MAX_DRAWS = 50
SERVED, SURE, FLOOR, CEILING = (
    "lanes as served",
    "lanes that are offered",
    "all notes of the mixture",
    "the stem alone",
)


@dataclass(frozen=True)
class PlayedMixture:
    """A mixture: its stems `[parts, samples]`, and the notes that each plays."""

    stems: Floats
    notes: tuple[Phrase, ...]


class MixtureBook:
    """Mixtures of held-out parts; one depends on (seed, number of parts, place) alone."""

    def __init__(self, notes: list[Path], midi: Path, cache: Path, split: str, seed: int, rate: int) -> None:
        """Raises TrainingError when the split has no instruments, or its MIDI files no section."""
        spec = RenderSpec(
            kind="multi", layout="compact", seed=seed, counts=((split, 1),), clip_samples=SECONDS * rate
        )
        collection = InstrumentCollection(notes)
        load = collection.load
        selected = select_instruments(
            spec,
            collection,
            read_manifest(MANIFEST),
            lambda ids: (check_instrument(load(key)) for key in ids),
        )
        held = midi_of_split(MidiCollection.read(midi, cache=cache / "midi"), split)
        self._sections = ProductionBook(held, SECONDS)
        self._pool = InstrumentPool(RenderPlan(spec, *selected), collection, split, seed)
        self._seed, self._rate = seed, rate

    def mixture(self, number: int, place: int) -> PlayedMixture:
        """A mixture of `number` parts that sound. Raises TrainingError when no section of `MAX_DRAWS` gives one."""
        generator = np.random.default_rng([self._seed, number, place])
        for _ in range(MAX_DRAWS):
            tracks = [track for track in self._sections.section(generator) if not track.is_drum]
            assigned = self._pool.assign(generator, tuple(tracks))[:number]
            performed = [perform(Part(*one), generator, SECONDS, self._rate) for one in assigned]
            heard = [one for one in performed if one is not None and is_heard(one.samples, self._rate)]
            if len(heard) == number:
                stems = torch.from_numpy(np.stack([one.samples for one in heard]))
                gain = torch.from_numpy(10 ** (generator.uniform(-GAIN_DB, GAIN_DB, (number, 1)) / 20))
                scaled = stems / active_rms(stems).clamp(min=1e-5) * gain.float() * LEVEL
                return PlayedMixture(scaled.numpy(), tuple(one.notes for one in heard))
        raise TrainingError(f"no section of {MAX_DRAWS} has {number} parts that sound", value=number)


@dataclass(frozen=True)
class ScoredLane:
    """One lane: the number of parts, which mixture, its confidence, and for each case (right, heard, true) notes.

    `isolation` is None where there is nothing to isolate: without a stem, or without other parts.
    """

    number: int
    mixture: int
    confidence: float
    counts: dict[str, tuple[int, int, int]]
    isolation: IsolatedLane | None = None


class LaneScorer:
    """Answers mixtures as the service does, and counts the right notes of their lanes."""

    def __init__(self, pair: EncoderPair, library: EnrolledLibrary, device: str) -> None:
        self._pair, self._library = pair, library
        self._estimator = PitchEstimator.load(device=device)

    def scored(self, played: PlayedMixture, number: int, place: int) -> Iterator[ScoredLane]:
        """Score each lane of the answer to a mixture."""
        wave = played.stems.sum(axis=0)
        tracks, lanes = self._lanes(wave)
        heard = self._notes(wave)
        of_stem = [[note for note in self._notes(stem) if note.onset >= LEAST_ONSET] for stem in played.stems]
        stem_of_lane = self._stems_of(tracks, played.stems)
        for lane, found in enumerate(notes_of_lanes(heard, lanes)):
            stem = stem_of_lane.get(lane)
            true = () if stem is None else played.notes[stem]
            sure = [note for note in heard if note.onset >= LEAST_ONSET]
            cases = {SERVED: found.notes, FLOOR: sure, CEILING: [] if stem is None else of_stem[stem]}
            counts = {name: _counts(notes, true) for name, notes in cases.items()}
            isolation = None
            if stem is not None and number > 1:
                isolation = isolated_lane(played.stems, stem, lane, lanes, heard, self._pair.sample_rate)
            yield ScoredLane(number, place, found.confidence, counts, isolation)

    def _lanes(self, wave: Floats) -> tuple[list[Track], list[SoundingLane]]:
        """The tracks of an answer from the library, and what it says of them."""
        pair, library = self._pair, self._library
        slots, starts = encode_samples(pair, wave)
        space, threshold = library.space(pair.family), pair.presence_threshold
        found = retrieve(slots, space, threshold, library.hidden)
        evidence = lane_evidence(found, slots, space, library.num_clips, library.hidden)
        matches = pair.calibrated_match().matches(evidence)
        embedding = np.array([track.embedding for track in found.tracks], np.float32)
        families = families_of_lanes(embedding, found.similarity, matches, library.families, space)
        timeline = timeline_of(pair, wave, starts, 0.0)
        tracks = timeline.tracks(found.tracks, slots.embedding, slots.presence, threshold)
        lanes = [
            SoundingLane(track.curve, track.active, family)
            for track, family in zip(tracks, families, strict=True)
        ]
        return tracks, lanes

    def _stems_of(self, tracks: list[Track], stems: Floats) -> dict[int, int]:
        """The stem of each lane that is assigned one, by the cosines of lanes and stems."""
        if not tracks:
            return {}
        size = self._pair.clip_samples
        clips = [stem[: len(stem) // size * size].reshape(-1, size) for stem in stems]
        target = np.stack([unit(self._pair.embed(clip).mean(axis=0)) for clip in clips])
        cosine = np.stack([track.embedding for track in tracks]) @ target.T  # [lanes, stems]
        lanes, of_lane = linear_sum_assignment(cosine, maximize=True)
        return dict(zip(lanes.tolist(), of_lane.tolist(), strict=True))

    def _notes(self, wave: Floats) -> tuple[HeardNote, ...]:
        activity = self._estimator.activity(resampled(wave, self._pair.sample_rate))
        return read_notes(activity, missed_onsets=False)


def _counts(heard: Sequence[HeardNote], true: Phrase) -> tuple[int, int, int]:
    ours: list[Onset] = [(note.start_seconds, note.pitch) for note in heard]
    theirs: list[Onset] = sorted({(note.start_seconds, note.pitch) for note in true})
    return matched_notes(ours, theirs), len(ours), len(theirs)


def figures(lanes: list[ScoredLane], case: str, num_mixtures: int, seed: int) -> dict[str, Estimate]:
    """Precision, recall and F1 over all notes of the lanes, with intervals over mixtures."""
    totals: NDArray[np.float64] = np.zeros((num_mixtures, 3))
    for lane in lanes:
        totals[lane.mixture] += lane.counts[case]

    def measure(weights: Values) -> dict[str, Values]:
        right, told, true = (weights @ totals).T
        scores = {"precision": right / np.maximum(told, 1), "recall": right / np.maximum(true, 1)}
        return scores | {"f1": 2 * right / np.maximum(told + true, 1)}

    return estimate(measure, num_mixtures, seed)


def table_of(lanes: list[ScoredLane], number: int, num_mixtures: int, split: str, seed: int) -> Table:
    """The table of mixtures of `number` parts."""
    chosen = [lane for lane in lanes if lane.number == number]
    sure = [lane for lane in chosen if lane.confidence >= CONFIDENT]
    share = len(sure) / max(1, len(chosen))
    rows = [ReportRow(SERVED, figures(chosen, SERVED, num_mixtures, seed))]
    rows += [ReportRow(f"{SURE}, {share:.0%}", figures(sure, SERVED, num_mixtures, seed))] if sure else []
    rows += [ReportRow(FLOOR, figures(chosen, FLOOR, num_mixtures, seed), True)]
    rows += [ReportRow(CEILING, figures(chosen, CEILING, num_mixtures, seed))]
    notes = (
        f"{num_mixtures} mixtures of {SECONDS} s, {len(chosen)} lanes; offered from a confidence of {CONFIDENT:g} on",
        "a note is right within 50 ms of its onset, at its pitch; a lane that has no stem has no true notes",
    )
    title = f"notes of the lanes, {number} part{'s' * (number > 1)}"
    return Table(NAME, split, f"{NAME}-{number}", title, notes, tuple(rows))


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="showme evaluate notes", description=(__doc__ or "").partition("\n\n")[0]
    )
    out.add_argument(
        "--notes",
        type=Path,
        action="append",
        required=True,
        metavar="PATH",
        help="as of data render; repeatable",
    )
    out.add_argument("--midi", type=Path, required=True, metavar="DIR", help="a tree of MIDI files")
    out.add_argument(
        "--split", default=VALID, help=f"of instruments and MIDI files that play (default: {VALID})"
    )
    out.add_argument(
        "--num-mixtures", type=int, default=50, metavar="N", help="mixtures of each number of parts (50)"
    )
    out.add_argument("--weights", type=Path, help="folder with single.safetensors and multi.safetensors")
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument(
        "--cache",
        type=Path,
        default=Path("data/evaluation"),
        metavar="DIR",
        help="keeps MIDI and the library",
    )
    out.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    if options.num_mixtures < 1:
        raise TrainingError(
            f"{options.num_mixtures} mixtures cannot be measured", value=options.num_mixtures, limit=1
        )
    pair = EncoderPair.load(options.weights, options.device)
    book = MixtureBook(
        options.notes, options.midi, options.cache, options.split, options.seed, pair.sample_rate
    )
    scorer = LaneScorer(pair, default_library(pair, options.cache), options.device)
    lanes = [
        lane
        for number in NUMBERS
        for place in range(options.num_mixtures)
        for lane in scorer.scored(book.mixture(number, place), number, place)
    ]
    console = Console()
    count, split = options.num_mixtures, options.split
    tables = [table_of(lanes, number, count, split, options.seed) for number in NUMBERS]
    separated = [lane.isolation for lane in lanes if lane.isolation]
    tables += [isolation_table(separated, number, count, split) for number in NUMBERS if number > 1]
    for table in tables:
        print_table(table, console)
    if options.json:
        machine, shown = describe_machine(pair.device), command_line([NAME, *argv])
        write_report(
            options.json,
            Report(NAME, pair.encoder_hash, pair.encoder_hash, 0, machine, shown, tuple(tables)),
        )
    return 0
