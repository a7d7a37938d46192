"""Protocol `served`: measure the answers of `POST /v1/queries` to 15 s of 2–9 instruments.

Kim et al. 2022, section 5.2 measure windows of five seconds. Users send longer audio and get a ranking of the library, the
named set and one lane per track. The protocol runs the same functions as the service (`index/retrieval.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from index.retrieval import QuerySlots, Retrieval, encode_samples, lane_evidence, retrieve
from index.search_space import SearchSpace
from models.encoder_pair import EncoderPair
from models.match import Match
from models.posterior import library_posterior
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.distractors import describe_entries
from training.evaluation.enrolled_library import EnrolledLibrary
from training.evaluation.held_out import HeldOut, to_float
from training.evaluation.metrics import Bools, Floats, Values, mean_average_precision, ratio
from training.evaluation.mixtures import GAIN_DB, MAX_INSTRUMENTS, MIN_INSTRUMENTS, Places
from training.evaluation.report import ReportRow, Table
from training.mixing import active_rms

NAME = "served"
CLIPS = 3  # clips of each instrument in a passage, one after the other
LENGTHS = (1, CLIPS)  # in clips, of the passages that calibration uses: 5 s (one window) and 15 s
SHARE = 4  # one passage per four mixtures of the other protocols: a passage has five windows
HITS = 5  # of each lane
DEPTH = 10  # of the library ranking
SIZES = 2  # number of libraries: the two smallest


@dataclass(frozen=True)
class Passage:
    """One query: `wave [samples]`, the places in the library of its instruments, and the bank's rows of their clips."""

    wave: Floats
    playing: Places  # [stems]
    rows: Places  # [stems, clips]


@dataclass(frozen=True)
class EncodedPassage:
    """The slots of a passage, beside the instruments that play in it and the bank's rows of their clips."""

    slots: QuerySlots
    playing: Places
    rows: Places


@dataclass(frozen=True)
class LaneHits:
    """The lanes of an answer: places of the first hits `[lanes, 5]`, and the places of the instruments that play."""

    hits: Places
    playing: Places

    @property
    def figures(self) -> tuple[int, int, int, int]:
        """Numbers of instruments found by a first hit, found by any of five, playing (each counts once); number of lanes."""
        first, five = np.unique(self.hits[:, :1]), np.unique(self.hits)
        found = [int(np.isin(self.playing, places).sum()) for places in (first, five)]
        return found[0], found[1], len(self.playing), len(self.hits)


def passages(held: HeldOut, numbers: Sequence[int], seed: int, clips: int = CLIPS) -> Iterator[Passage]:
    """Yield a passage of `number` instruments for each `number` of `numbers`, at levels within ±6 dB, `clips` clips long."""
    for number, rng in zip(numbers, np.random.default_rng(seed).spawn(len(numbers)), strict=True):
        playing = rng.choice(len(held.chosen), number, replace=False)
        every = np.tile(np.arange(held.clips_per_instrument), (number, 1))
        chosen = rng.permuted(every, axis=1)[:, :clips]
        clips_of_stem = playing[:, None] * held.clips_per_instrument + chosen  # [stems, clips]
        stems = torch.from_numpy(to_float(held.rows(clips_of_stem.ravel())).reshape(number, -1))
        gain = torch.from_numpy(10 ** (rng.uniform(-GAIN_DB, GAIN_DB, (number, 1)) / 20)).float()
        wave = (stems * gain / active_rms(stems).clamp(min=1e-5)).sum(dim=0).numpy()
        yield Passage(wave, playing, held.bank_rows(clips_of_stem))


def answer(
    slots: QuerySlots, library: SearchSpace, threshold: float, hidden: Bools | None = None
) -> Retrieval:
    """Answer a query from a library, as `POST /v1/queries` does in its default mode.

    Without `hidden [instruments]`, as with `effects=true`: sound effects play in rendered passages like all else.
    """
    return retrieve(slots, library, threshold, hidden)


def lane_matches(
    pair: EncoderPair, found: Retrieval, slots: QuerySlots, space: SearchSpace, library: EnrolledLibrary
) -> tuple[Match, ...]:
    """Return the match of each lane of an answer from a library and its `space`; sound effects are hidden."""
    evidence = lane_evidence(found, slots, space, library.num_clips, library.hidden)
    return pair.calibrated_match().matches(evidence)


def lane_hits(found: Retrieval, playing: Places) -> LaneHits:
    """Return the first hits of each lane of an answer."""
    return LaneHits(np.argsort(-found.similarity, axis=1, kind="stable")[:, :HITS], playing)


def lane_figures(lanes: Sequence[LaneHits], weights: Values) -> dict[str, Values]:
    """Return recall by lanes, their precision (`lane_right`), and the mean error in their number."""
    first, five, playing, number = np.array([one.figures for one in lanes]).T
    return {
        "lane_1": ratio(first, playing, weights),
        "lane_5": ratio(five, playing, weights),
        "lane_right": ratio(first, number, weights),
        "count_error": ratio(np.abs(number - playing), np.ones(len(number)), weights),
    }


@dataclass(frozen=True)
class ServedAnswers:
    """The answers to K passages: `score [K, instruments]`, the mask `named [K, instruments]`, and the lanes of each."""

    score: Floats
    named: Bools
    lanes: tuple[LaneHits, ...]


def figures(answers: ServedAnswers, num_candidates: int, seed: int) -> dict[str, Estimate]:
    """Return figures over passages; average precision covers the first `num_candidates` instruments, which may play."""
    number = len(answers.lanes)
    true = np.zeros(answers.score.shape, dtype=bool)
    for row, lanes in enumerate(answers.lanes):
        true[row, lanes.playing] = True
    size, right = true.sum(axis=1), (true & answers.named).sum(axis=1)
    order = np.argsort(-answers.score, axis=1, kind="stable")[:, :DEPTH]
    found = np.take_along_axis(true, order, axis=1).sum(axis=1)
    held = slice(0, num_candidates)

    def measure(weights: Values) -> dict[str, Values]:
        precision = mean_average_precision(true[:, held], answers.score[:, held], weights)
        return {
            "map_macro": precision.macro,
            "ranked_10": ratio(found, size, weights),
            "set_f1": ratio(2 * right / (answers.named.sum(axis=1) + size), np.ones(number), weights),
        } | lane_figures(answers.lanes, weights)

    return estimate(measure, number, seed)


def random_answers(playing: Sequence[Places], num_instruments: int, seed: int) -> ServedAnswers:
    """Return answers at the chance level: a random ranking, two to nine lanes of random hits, and as many named."""
    rng = np.random.default_rng(seed)
    score = rng.random((len(playing), num_instruments), dtype=np.float32)
    rank = np.argsort(np.argsort(-score, axis=1), axis=1)
    most = min(MAX_INSTRUMENTS, num_instruments)
    count = rng.integers(min(MIN_INSTRUMENTS, most), most + 1, size=(len(playing), 1))
    lanes = tuple(
        LaneHits(rng.permuted(np.tile(np.arange(num_instruments), (int(k), 1)), axis=1)[:, :HITS], places)
        for k, places in zip(count[:, 0], playing, strict=True)
    )
    return ServedAnswers(score, rank < count, lanes)


def other_rankings(
    encoded: Sequence[QuerySlots], served: ServedAnswers, library: SearchSpace, threshold: float
) -> dict[str, ServedAnswers]:
    """Return two rankings for comparison: by the highest similarity to a track, and by the posterior over tracks.

    The lanes and the number of named instruments are the served ones.
    """
    found = [answer(slots, library, threshold) for slots in encoded]
    scores = {
        "ranked by similarity of tracks": [one.similarity.max(axis=0, initial=-1.0) for one in found],
        "ranked by posterior of tracks": [library_posterior(one.similarity, one.presence) for one in found],
    }
    count = served.named.sum(axis=1, keepdims=True)
    out = {}
    for name, rows in scores.items():
        score = np.stack(rows)
        rank = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1, kind="stable")
        out[name] = ServedAnswers(score, rank < count, served.lanes)
    return out


def served_answers(
    encoded: Sequence[QuerySlots], playing: Sequence[Places], library: SearchSpace, threshold: float
) -> ServedAnswers:
    """Return the answers that the service gives."""
    found = [answer(slots, library, threshold) for slots in encoded]
    named = np.zeros((len(found), len(library)), dtype=bool)
    for row, one in enumerate(found):
        named[row, one.named] = True
    lanes = tuple(lane_hits(one, places) for one, places in zip(found, playing, strict=True))
    return ServedAnswers(np.stack([one.score for one in found]), named, lanes)


def passage_numbers(num_mixtures: int, num_instruments: int) -> list[int]:
    """Return the number of instruments of each passage: 2–9 in turn, for one passage per `SHARE` mixtures."""
    most = min(MAX_INSTRUMENTS, num_instruments)
    numbers = np.resize(np.arange(min(MIN_INSTRUMENTS, most), most + 1), max(2, num_mixtures // SHARE))
    return [int(number) for number in numbers]


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield one table: chance, the service and two other rankings, in the two smallest libraries."""
    numbers = passage_numbers(context.num_mixtures, len(context.held.chosen))
    passages = encode_passages(context.pair, context.held, numbers, context.seed)
    encoded, playing = [one.slots for one in passages], [one.playing for one in passages]
    rows, notes = [], []
    for size in context.library_sizes[:SIZES]:
        entries = context.distractors.of_size(size)
        library = context.space(entries)
        notes.append(f"{size:,}: {describe_entries(entries)}")
        threshold = context.pair.presence_threshold
        served = served_answers(encoded, playing, library, threshold)
        cases = {"chance": random_answers(playing, size, context.seed), "served": served}
        cases |= other_rankings(encoded, served, library, threshold)
        for name, answers in cases.items():
            estimates = figures(answers, len(context.held.chosen), context.seed)
            rows.append(ReportRow(f"{size:,} · {name}", estimates, name == "chance"))
    seconds = CLIPS * context.held.clip_samples / context.pair.sample_rate
    notes.append(
        f"{len(numbers)} passages of {seconds:g} s, {min(numbers)}–{max(numbers)} instruments each; "
        f"{NUM_ENROLLED} clips enrolled each"
    )
    yield Table(NAME, context.split, NAME, "answers of the service", tuple(notes), tuple(rows))


def encode_passages(
    pair: EncoderPair, held: HeldOut, numbers: Sequence[int], seed: int, clips: int = CLIPS
) -> list[EncodedPassage]:
    """Encode a passage of `number` instruments for each `number` of `numbers`."""
    return [
        EncodedPassage(encode_samples(pair, one.wave)[0], one.playing, one.rows)
        for one in passages(held, numbers, seed, clips)
    ]
