"""Fitting the match model: what is drawn, what thresholds promise, and that a fit tells strangers from what is owned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.retrieval import QuerySlots
from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoder_pair import MATCH_FILE, MULTI_FILE, SINGLE_FILE, EncoderPair
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import EncoderMismatch, TrainingError
from models.match import FEATURES, MatchModel
from tests.encoders import random_pair
from tests.training.evaluation.held_out_bank import write_splits
from training import match
from training.evaluation.embeddings import ClipEmbeddings, unit
from training.evaluation.ownership import KnownPassage, LabelledLanes, SearchedLibrary, join, label_lanes
from training.match import CalibrationLibraries, word_thresholds
from training.mixing import ABSENT

CONFIG = EncoderConfig(
    "compact", {"widths": [4, 8, 8]}, 16, 3, "attention", {"width": 16, "depth": 1, "num_heads": 2}
)
DIM = 64


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    write_splits(folder, {"train": (6, 7), "valid": (10, 7)})
    return folder


@pytest.fixture(scope="module")
def libraries(bank: Path) -> CalibrationLibraries:
    pair = random_pair()
    valid, train = (ClipEmbeddings.open(pair, bank, split, bank / "cache") for split in ("valid", "train"))
    return CalibrationLibraries.of_views(valid, train, 3, seed=0)


def world(seed: int, number: int = 300) -> LabelledLanes:
    """Answers where a lane resembles its clean stem, from libraries that lack half of the instruments that play."""
    rng = np.random.default_rng(seed)
    known = unit(rng.standard_normal((12, DIM)).astype(np.float32))
    cohort = unit(rng.standard_normal((30, DIM)).astype(np.float32))
    parts = []
    for passage in range(number):
        playing = rng.choice(12, 3, replace=False)
        stems = known[playing]
        noisy = unit(stems + 0.14 * rng.standard_normal(stems.shape).astype(np.float32))
        slots = QuerySlots(noisy[None], np.full((1, 3), 0.9, np.float32))
        library = SearchedLibrary(known, np.arange(12), np.full(12, 5), (None,) * 12)
        library = library.without(playing[rng.random(3) < 0.5])
        parts.append(label_lanes(passage, KnownPassage(slots, playing, stems, stems), library, 0.5, cohort))
    return join(parts)


def test_libraries_lack_some_of_what_plays_with_its_near_duplicates(libraries: CalibrationLibraries) -> None:
    rng, playing = np.random.default_rng(0), np.array([1, 8])  # 8 and 9 share a split group
    sizes, held = set(), []
    for _ in range(200):
        library = libraries.draw(playing, rng)
        here = library.instrument
        assert (9 in here) <= (8 in here)
        assert len(np.unique(here[here != ABSENT])) == (here != ABSENT).sum()
        assert len(library.embedding) == len(here) == len(library.num_clips)
        assert set(library.num_clips) <= {1, 2, 3}
        sizes.add(len(here))
        held.append(np.isin(playing, here))
    assert np.mean(held, axis=0) == pytest.approx([0.5, 0.5], abs=0.12)
    assert min(sizes) == match.MIN_LIBRARY
    assert max(sizes) > len(libraries.group)  # training instruments, too


def test_the_cohort_and_the_distractors_are_different_instruments(
    bank: Path, libraries: CalibrationLibraries
) -> None:
    """A centre of the cohort is one training instrument here, since there are few; no distractor is one of them."""
    train = ClipEmbeddings.open(random_pair(), bank, "train", bank / "cache")
    every = train.enrolled(range(6), 3)
    in_cohort = (libraries.cohort @ every.T).argmax(axis=1)
    in_libraries = (libraries.distractors[2] @ every.T).argmax(axis=1)
    assert sorted([*in_cohort, *in_libraries]) == list(range(6))
    group = match.split_groups(train.instruments)
    assert not np.isin(group[in_cohort], group[in_libraries]).any()


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_keep_their_promise_and_are_the_lowest_that_do(seed: int) -> None:
    """From a threshold up to any higher probability, the share is the word's; from any lower one, up to some it is not."""
    rng = np.random.default_rng(seed)
    probability = np.round(rng.random(400), 2)  # with ties
    owned = rng.random(400) < probability
    found = word_thresholds(owned, probability)
    assert found["strong"] >= found["fair"] >= found["weak"]

    def shares(least: float) -> list[float]:
        cuts = np.unique(probability[probability >= least])
        return [float(owned[(probability >= least) & (probability <= cut)].mean()) for cut in cuts]

    for word, least in match.PRECISION.items():
        assert min(shares(found[word])) >= least
        assert all(min(shares(lower)) < least for lower in probability[probability < found[word]])


def test_certain_lanes_do_not_vouch_for_hopeless_ones() -> None:
    probability = np.repeat([0.95, 0.02], 100)
    owned = np.tile(np.arange(100), 2) < np.repeat([97, 2], 100)
    assert set(word_thresholds(owned, probability).values()) == {0.95}


def test_a_word_without_lanes_to_rest_on_is_never_given() -> None:
    probability = np.linspace(1, 0, 100)
    owned = np.arange(100) < match.MIN_LANES - 1
    assert set(word_thresholds(owned & False, probability).values()) == {1.01}
    found = word_thresholds(owned, probability, {"strong": 0.9, "weak": 0.0})
    assert found == {"strong": 1.01, "weak": 0.0}


def test_lanes_are_labelled_by_hand() -> None:
    """Four instruments; 0 and 1 play, 1 is not in the library; a third lane resembles neither."""
    known = np.eye(4, 6, dtype=np.float32)
    slots = np.stack([known[1] + 0.3 * known[2], known[0], np.eye(6, dtype=np.float32)[5]])
    heard = QuerySlots(unit(slots)[None], np.array([[0.9, 0.8, 0.7]], np.float32))
    library = SearchedLibrary(known, np.arange(4), np.full(4, 5), (None,) * 4).without(np.array([1]))
    stems = unit(known[:2] + 0.5 * known[3])
    lanes = label_lanes(7, KnownPassage(heard, np.array([0, 1]), stems, known[:2]), library, 0.5, known)
    assert lanes.passage.tolist() == [7, 7, 7]
    assert lanes.has_stem.tolist() == [True, True, False]  # the heaviest lane first
    assert lanes.owned.tolist() == [False, True, False]
    assert lanes.right[:2].tolist() == [False, True]
    own, other = 1 / np.sqrt(1.25), 0.5 / np.sqrt(1.25)
    assert lanes.own_reach == pytest.approx([own, own, -1])
    assert lanes.reach == pytest.approx([other, own, -1])


def test_a_fit_knows_strangers_and_is_calibrated_on_new_answers() -> None:
    lanes = world(0)
    model = match.fit(lanes, np.eye(1, DIM, dtype=np.float32))
    assert model.metrics["absence_auroc"] > 0.9
    new = world(1)
    probability = model.probability(new.features)
    words = np.array([model.word(one) for one in probability])
    assert new.owned[words == "strong"].mean() > match.PRECISION["strong"] - 0.05
    assert new.owned[words == "none"].mean() < 0.2
    assert abs(probability.mean() - new.owned.mean()) < 0.05


def test_lanes_of_one_kind_are_refused() -> None:
    lanes = world(0, 20)
    everything = replace(lanes, owned=np.ones_like(lanes.owned))
    with pytest.raises(
        TrainingError, match=f"of {len(lanes.owned)} validation lanes {len(lanes.owned)} have"
    ):
        match.fit(everything, np.eye(1, DIM, dtype=np.float32))


def test_a_cohort_needs_two_groups_of_training_instruments(bank: Path, tmp_path: Path) -> None:
    write_splits(tmp_path, {"train": (2, 7)})  # both of one split group
    pair = random_pair()
    valid = ClipEmbeddings.open(pair, bank, "valid", tmp_path)
    train = ClipEmbeddings.open(pair, tmp_path, "train", tmp_path)
    with pytest.raises(TrainingError, match="two split groups"):
        CalibrationLibraries.of_views(valid, train, 3, seed=0)


def test_the_command_fits_a_pair_whose_model_is_stale(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    single, multi = SingleInstrumentEncoder(CONFIG), MultiInstrumentEncoder(CONFIG)
    single_hash = save_checkpoint(
        single, CheckpointHeader("single", CONFIG.to_dict()), tmp_path / SINGLE_FILE
    )
    header = CheckpointHeader("multi", CONFIG.to_dict(), single_hash, presence_threshold=0.0)
    multi_hash = save_checkpoint(multi, header, tmp_path / MULTI_FILE)
    stale = random_pair().calibrated_match()
    stale.save(tmp_path / MATCH_FILE, single_hash, "sha256:other")
    with pytest.raises(EncoderMismatch):
        EncoderPair.load(tmp_path, "cpu")
    arguments = ["--weights", str(tmp_path), "--bank", str(bank), "--cache", str(tmp_path / "cache")]
    assert match.main([*arguments, "--device", "cpu"]) == 0
    fitted = EncoderPair.load(tmp_path, "cpu").calibrated_match()
    assert fitted.cohort.shape[1] == CONFIG.embedding_dim
    printed = capsys.readouterr().out
    assert all(f"weight {name} " in printed for name in FEATURES)
    assert "absence_auroc_without_cohort" in printed
    path = tmp_path / "again.safetensors"
    fitted.save(path, single_hash, multi_hash)
    assert MatchModel.load(path, single_hash, multi_hash).metrics == fitted.metrics
