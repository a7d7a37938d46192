"""Families of answers are counted as one would by hand, and told as the service tells them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.lane_families import most_probable
from index.query import run_query
from index.retrieval import encode_samples, lane_evidence
from index.search_space import SearchSpace
from models.encoder_pair import EncoderPair
from tests.index.fake_source import FakeInstrument, FakeSource
from training.evaluation.bootstrap import estimate_ratios
from training.evaluation.family_scores import (
    CHANCE_DRAWS,
    FamilyAnswer,
    FamilyAnswers,
    random_families,
    served_families,
)
from training.evaluation.served import answer

NAMES = ("bass", "guitar", "reed", None)


def answers_of(*answers: FamilyAnswer) -> FamilyAnswers:
    return FamilyAnswers(answers, np.arange(len(answers)))


def random_answers(number: int, playing: int) -> FamilyAnswers:
    rng = np.random.default_rng(playing)

    def some(count: int) -> tuple[str | None, ...]:
        return tuple(NAMES[place] for place in rng.integers(len(NAMES), size=count))

    drawn = []
    for _ in range(number):
        families = tuple(rng.permutation([name for name in NAMES if name])[:playing].tolist())
        drawn.append(FamilyAnswer(families, some(5), some(int(rng.integers(0, 5)))))
    return answers_of(*drawn)


def test_answers_to_one_instrument_are_counted_one_by_one() -> None:
    found = random_answers(40, 1)
    figures = found.of_one_instrument(seed=0)
    first = five = main = error = 0
    for one in found.answers:
        (family,) = one.playing
        first += one.ranked[0] == family
        five += any(told == family for told in one.ranked)
        main += len(one.lanes) > 0 and one.lanes[0] == family
        error += abs(len(one.lanes) - 1)
    expected = {"family_first": first, "family_five": five, "lane_family": main, "count_error": error}
    assert {name: figures[name].value for name in expected} == pytest.approx(
        {name: count / 40 for name, count in expected.items()}
    )


def test_answers_to_mixtures_are_counted_one_by_one() -> None:
    found = random_answers(40, 2)
    figures = found.of_mixtures(seed=0)
    lanes = [lane for one in found.answers for lane in one.lanes]
    right = [lane for one in found.answers for lane in one.lanes if lane in one.playing]
    recalled = sum(len({*one.playing} & {*one.lanes}) for one in found.answers)
    assert figures["family_recall"].value == pytest.approx(recalled / 80)
    assert figures["lane_precision"].value == pytest.approx(len(right) / len(lanes))
    assert figures["lane_once"].value == pytest.approx(recalled / len(lanes))
    for family in ("bass", "guitar", "reed"):
        plays = [one for one in found.answers if family in one.playing]
        own = found.of_family(family, seed=0)
        assert own["family_recall"].value == pytest.approx(np.mean([family in one.lanes for one in plays]))
        assert own["lane_precision"].value == pytest.approx(Counter(right)[family] / Counter(lanes)[family])


def test_a_second_lane_of_a_family_is_true_but_found_once() -> None:
    figures = answers_of(FamilyAnswer(("bass", "reed"), (), ("bass", "bass", None))).of_mixtures(seed=0)
    assert figures["family_recall"].value == 1 / 2
    assert figures["lane_precision"].value == pytest.approx(2 / 3)
    assert figures["lane_once"].value == pytest.approx(1 / 3)
    assert figures["count_error"].value == 1


def test_hits_and_lanes_without_a_family_are_wrong() -> None:
    nothing = FamilyAnswer(("bass",), (None, None), (None, "bass"))
    figures = answers_of(nothing).of_one_instrument(seed=0)
    assert figures["family_first"].value == figures["family_five"].value == figures["lane_family"].value == 0


def test_figures_without_anything_to_count_are_left_out() -> None:
    silent = answers_of(FamilyAnswer(("bass", "reed"), ("bass",)))
    assert set(silent.of_mixtures(seed=0)) == {"family_recall", "count_error"}
    assert set(silent.of_family("guitar", seed=0)) == set()


def test_mistakes_are_listed_the_most_frequent_first() -> None:
    told = [("vocal", "string")] * 2 + [("vocal", "vocal")] * 5 + [("reed", "flute")] * 3
    found = [FamilyAnswer((true,), (), (name,)) for true, name in told]
    found += [FamilyAnswer(("bass",), ()), FamilyAnswer(("drum",), (), (None,))]
    text = answers_of(*found).mistakes()
    assert text == "reed as flute 3, vocal as string 2, bass as no lane 1, drum as no family 1"
    assert answers_of(FamilyAnswer(("bass",), (), ("bass",))).mistakes() == "none"


def test_joined_answers_are_counted_together() -> None:
    parts = [random_answers(7, 2), random_answers(9, 2)]
    together = FamilyAnswers.joined(parts)
    assert together.unit_of_answer.tolist() == list(range(16))
    assert together.answers == parts[0].answers + parts[1].answers


def test_chance_finds_families_as_often_as_the_library_has_them() -> None:
    families = ("bass",) * 10 + ("reed",) * 25 + (None,) * 15
    asked = answers_of(*[FamilyAnswer(("bass",), ()) for _ in range(200)])
    blind = random_families(asked, families, most_lanes=4, seed=0)
    assert len(blind.answers) == 200 * CHANCE_DRAWS
    figures = blind.of_one_instrument(seed=0)
    assert figures["family_first"].value == pytest.approx(10 / 50, abs=0.03)
    assert figures["family_five"].value == pytest.approx(
        1 - np.prod([(40 - i) / (50 - i) for i in range(5)]), abs=0.03
    )
    assert figures["lanes"].value == pytest.approx(2.5, abs=0.1)
    assert random_families(asked, families, most_lanes=4, seed=0).answers == blind.answers


def test_queries_of_one_instrument_are_resampled_together() -> None:
    """Many queries of two instruments, one of them always right, are no more certain than two."""
    right = np.repeat([1, 0], 50)
    columns = {"right": (right, np.ones(100, np.int64))}
    by_instrument = estimate_ratios(columns, np.repeat([0, 1], 50), seed=0)["right"]
    by_query = estimate_ratios(columns, np.arange(100), seed=0)["right"]
    assert by_instrument.value == by_query.value == 0.5
    assert by_instrument.low is not None
    assert by_query.low is not None
    assert by_instrument.low < 0.2 < 0.35 < by_query.low


def test_lanes_have_the_families_that_the_service_tells(pair: EncoderPair, tmp_path: Path) -> None:
    names = ("bass", "guitar", None, "reed", "bass", "flute", "guitar")
    source = FakeSource(
        *(FakeInstrument(f"Tone {n}", 90.0 * 1.6**n, family=name) for n, name in enumerate(names))
    )
    wave = np.random.default_rng(0).standard_normal(3 * pair.clip_samples).astype(np.float32)
    index = InstrumentIndex(tmp_path, pair.encoder_hash, pair.embedding_dim)
    index.open()
    enroll(index, pair, index.libraries.create("Tones").id, source)
    told, _ = run_query(index, pair, wave, library="Tones")
    vectors = index.searchable("Tones")
    library = vectors.store.vectors(vectors.store.ids)
    index.close()
    space = SearchSpace.of(library)
    slots = encode_samples(pair, wave)[0]
    found = answer(slots, space, pair.presence_threshold)
    matches = pair.calibrated_match().matches(lane_evidence(found, slots, space, vectors.num_clips))
    measured = served_families(found, matches, [row.family for row in vectors.rows], ("bass",), space)
    assert told.slots
    assert measured.lanes == tuple(most_probable(slot.families) for slot in told.slots)
    assert measured.ranked == tuple(one.hit.family for one in told.instruments[:5])
