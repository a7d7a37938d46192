"""Protocol `production`: measure the service's answers to productions of four to eight parts with drums, 15 s each.

They are rendered as `showme data render multi --production` renders them, by test instruments, drum kits, voices and MIDI files
only. Queries run through `index/retrieval.py`, and the library is enrolled as the service enrols it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from index.retrieval import encode_samples
from index.sources.base import SourceInstrument
from models.encoder_pair import EncoderPair
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.enrolled_library import EnrolledLibrary, enroll_in_memory
from training.evaluation.held_out import to_float
from training.evaluation.lanes import random_lanes
from training.evaluation.metrics import Values, ratio
from training.evaluation.mixtures import Places
from training.evaluation.report import ReportRow, Table
from training.evaluation.served import LaneHits, answer, lane_figures, lane_hits
from training.midi import MidiCollection
from training.nlakh.dataset import DatasetInstrument
from training.nlakh.instrument_selection import (
    InstrumentCollection,
    check_instrument,
    place_in_split,
    select_instruments,
)
from training.nlakh.rendered import RenderedItem, mix
from training.nlakh.spec import MAX_PARTS, MIN_PARTS, RenderPlan, RenderSpec
from training.nlakh.worker import open_renderer
from training.productions.roles import TEST, TEST_REAL, role_of
from training.splits import MANIFEST, SplitRow, read_manifest

NAME = "production"
SPLIT = "test-same"
SECONDS = 15
SHARE = 10  # one production per ten mixtures of the other protocols
LIBRARY = 200


@dataclass(frozen=True)
class ProductionContext:
    """The inputs: encoders, sources of notes with kits and voices among them, MIDI files, and the number of productions.

    `cache` keeps parsed MIDI and the embeddings of the library.
    """

    pair: EncoderPair
    notes: Sequence[Path]
    midi: Path
    cache: Path
    number: int = 100
    library_size: int = LIBRARY
    split: str = SPLIT
    manifest: Path = MANIFEST
    seed: int = 0

    @cached_property
    def collection(self) -> InstrumentCollection:
        return InstrumentCollection(self.notes)

    @cached_property
    def rows(self) -> dict[str, SplitRow]:
        return read_manifest(self.manifest)

    @cached_property
    def plan(self) -> RenderPlan:
        """Raises TrainingError when there is no instrument of the split."""
        spec = RenderSpec(
            kind="multi",
            layout="compact",
            seed=self.seed,
            counts=((self.split, self.number),),
            max_instruments=MAX_PARTS,
            drums=True,
            clip_samples=SECONDS * self.pair.sample_rate,
            production=True,
        )
        load = self.collection.load
        found = select_instruments(
            spec, self.collection, self.rows, lambda ids: (check_instrument(load(key)) for key in ids)
        )
        return RenderPlan(spec, *found)

    def productions(self) -> Iterator[RenderedItem]:
        """Raises TrainingError when the split lacks drum kits, or its MIDI files hold no section for a production."""
        midi = MidiCollection.read(self.midi, cache=self.cache / "midi")
        renderer = open_renderer(self.plan, self.collection, midi)
        for planned in self.plan.units():
            yield from renderer.render(planned)

    def distractors(self, playing: Sequence[DatasetInstrument]) -> list[SourceInstrument]:
        """The other instruments of the split, in random order, without near-duplicates (same group) of those `playing`."""
        taken = {row.id for row in playing}
        groups = {_group(self.collection.load(key), self.rows) for key in taken} - {None}
        is_test, spec = self.split.startswith(TEST), self.plan.spec
        found = []
        for instrument in self.collection:
            place = place_in_split(instrument, self.rows, seed=spec.seed, valid_share=spec.valid_share)
            is_held = place is not None and (
                place.split == self.split or (is_test and place.split == TEST_REAL)
            )
            if is_held and instrument.id not in taken and _group(instrument, self.rows) not in groups:
                found.append(instrument)
        order = np.random.default_rng(self.seed).permutation(len(found))
        return [found[place] for place in order]


def _group(instrument: SourceInstrument, rows: dict[str, SplitRow]) -> str | int | None:
    """The group of near-duplicates: that of the manifest, or that of recordings, which is their source."""
    if instrument.id in rows:
        return rows[instrument.id]["group"]
    return instrument.source if getattr(instrument, "part", None) is not None else None


def enrolled_library(context: ProductionContext, playing: Sequence[DatasetInstrument]) -> EnrolledLibrary:
    """Enrol the instruments that play, then distractors up to the size of the library; unusable ones are left out."""
    players = [context.collection.load(row.id) for row in playing]
    others = context.distractors(playing)[: max(0, context.library_size - len(players))]
    files = [path for source in context.collection.sources for path in source.files]
    return enroll_in_memory(context.pair, NAME, [*players, *others], files, context.cache)


@dataclass(frozen=True)
class AnsweredProduction:
    """The lanes of an answer, and the family of each part, in the order of `lanes.playing`."""

    lanes: LaneHits
    families: tuple[str, ...]
    has_voice: bool

    @property
    def num_right_lanes(self) -> int:
        """Lanes with an instrument that plays among their first five hits."""
        return int(np.isin(self.lanes.hits, self.lanes.playing).any(axis=1).sum())

    @property
    def found(self) -> np.ndarray:
        """Whether each part is among the first five hits of a lane, [parts]."""
        return np.isin(self.lanes.playing, self.lanes.hits)


def figures(answered: Sequence[AnsweredProduction], seed: int) -> dict[str, Estimate]:
    """Return parts found, lane precision and count error, with intervals over productions."""
    lanes = [one.lanes for one in answered]
    right = np.array([one.num_right_lanes for one in answered])
    number = np.array([len(one.hits) for one in lanes])

    def measure(weights: Values) -> dict[str, Values]:
        both = lane_figures(lanes, weights)
        return {
            "lane_5": both["lane_5"],
            "lane_right_5": ratio(right, number, weights),
            "count_error": both["count_error"],
            "lane_1": both["lane_1"],
            "lane_right": both["lane_right"],
        }

    return estimate(measure, len(answered), seed)


def family_rows(
    answered: Sequence[AnsweredProduction], chance: Sequence[AnsweredProduction], seed: int
) -> tuple[ReportRow, ...]:
    """Return a row for each family: the share of its parts that are found in five, and by chance."""
    cases, rows = {"lane_5": answered, "lane_5_chance": chance}, []
    for family in sorted({family for one in answered for family in one.families}):
        chosen = [np.array([name == family for name in one.families]) for one in answered]  # [parts] each
        parts = np.array([places.sum() for places in chosen])
        found = {
            name: np.array([(one.found & places).sum() for one, places in zip(case, chosen, strict=True)])
            for name, case in cases.items()
        }

        def measure(
            weights: Values, found: dict[str, Places] = found, parts: Places = parts
        ) -> dict[str, Values]:
            return {name: ratio(each, parts, weights) for name, each in found.items()}

        number = int(parts.sum())
        name = f"{family}, {number} part{'s' * (number > 1)}"
        rows.append(ReportRow(name, estimate(measure, len(answered), seed)))
    return tuple(rows)


def tables(context: ProductionContext) -> Iterator[Table]:
    """Yield the figures of all productions, of those with and without a voice, and the recall of each family."""
    slots, parts = [], []
    for item in context.productions():
        slots.append(encode_samples(context.pair, to_float(mix(item.stems)))[0])
        parts.append([stem.instrument for stem in item.stems])
    row_of = {row.number: row for row in context.plan.instruments}
    playing = [row_of[number] for number in sorted({number for numbers in parts for number in numbers})]
    library = enrolled_library(context, playing)
    roles = {row.id: role_of(context.collection.load(row.id)) for row in playing}
    space, hidden = library.space(context.pair.family), library.hidden
    rng = np.random.default_rng(context.seed)
    served, chance = [], []
    for found, numbers in zip(slots, parts, strict=True):
        rows = [row_of[number] for number in numbers]
        places = np.array([library.place_of[row.id] for row in rows])
        about = tuple(row.family or "unknown" for row in rows), any(roles[row.id] == "voice" for row in rows)
        found_lanes = answer(found, space, context.pair.presence_threshold, hidden)
        served.append(AnsweredProduction(lane_hits(found_lanes, places), *about))
        chance.append(AnsweredProduction(random_lanes(places, len(library), rng), *about))
    about_library = f"library of {len(library)}: {len(playing)} play in a production, the others in none"
    yield _main_table(context, about_library, served, chance)
    title = "parts found in five, by family"
    yield Table(
        NAME, context.split, "production-families", title, (), family_rows(served, chance, context.seed)
    )


def _main_table(
    context: ProductionContext,
    about_library: str,
    served: Sequence[AnsweredProduction],
    chance: Sequence[AnsweredProduction],
) -> Table:
    cases = {"served": served}
    for name, is_sung in (("with a voice", True), ("without a voice", False)):
        chosen = [one for one in served if one.has_voice == is_sung]
        cases |= {f"served · {name}, {len(chosen)} productions": chosen} if chosen else {}
    rows = [ReportRow("chance", figures(chance, context.seed), True)]
    rows += [ReportRow(name, figures(case, context.seed)) for name, case in cases.items()]
    sizes = [len(one.families) for one in served]
    notes = (
        f"{len(served)} productions of {SECONDS} s, {MIN_PARTS}–{MAX_PARTS} parts, "
        f"{np.mean(sizes):.1f} on average, drums in each",
        about_library,
        "instruments are enrolled as the service enrols them; productions leave out what enrollment hears of a voice",
        "chance: 1–9 lanes of random instruments",
    )
    return Table(NAME, context.split, NAME, "productions: lanes of the service's answer", notes, tuple(rows))
