"""Fit the match model of a pair of encoders on validation data and write it beside them.

The lanes are those of the service's answers (`index/retrieval.py`) to passages of five and of fifteen seconds, from libraries
of many sizes that lack half of the instruments that play. No test data are used. `training.release` does this for a new pair.

    python -m training.match --weights models/weights --bank banks/single
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.checkpoint import file_hash
from models.device import DEVICES
from models.encoder_pair import MATCH_FILE, MULTI_FILE, SINGLE_FILE, WEIGHTS, EncoderPair
from models.errors import TrainingError
from models.match import FEATURES, MAX_CLIPS, WORDS, MatchModel
from training.commands import cli_errors
from training.evaluation.embeddings import ClipEmbeddings, unit
from training.evaluation.held_out import HeldOut
from training.evaluation.metrics import Bools, Floats, Values, unit_weights
from training.evaluation.mixtures import Places
from training.evaluation.ownership import (
    LabelledLanes,
    SearchedLibrary,
    calibration,
    figures,
    join,
    known_passages,
    label_lanes,
)
from training.evaluation.served import LENGTHS, SHARE, encode_passages, passage_numbers
from training.mixing import ABSENT
from training.nlakh.dataset import TRAIN, VALID, DatasetInstrument

NUM_PASSAGES = 400  # of each length, at most
PASSAGES_EACH = 3  # at most, for each validation instrument: more would repeat the few that there are
NUM_LIBRARIES = 3  # that each passage is searched in
MIN_LIBRARY = 4  # instruments, of the smallest library
COHORT_SIZE = 256  # prototypes; half a megabyte in the file
PRECISION = {
    "strong": 0.75,
    "fair": 0.5,
    "weak": 0.33,
}  # of lanes at a word's threshold, the share in the library
MIN_LANES = 20  # that a word rests on
REACH_SHARE = 0.9  # of stems that are within reach of their own instrument
FOLDS = 5


@dataclass(frozen=True)
class CalibrationLibraries:
    """Libraries around validation instruments. Training instruments make them larger, and other ones the cohort.

    Training instruments are divided by split group: an instrument of the cohort that is also in the library would be told by
    its cohort gap of zero, which no instrument of a user is.
    """

    group: Places  # [n] of the validation instruments
    enrolled: Floats  # [clips, n, dim]: the validation instruments enrolled with 1, 2, … clips
    distractors: Floats  # [clips, m, dim]: training instruments, likewise
    cohort: Floats  # [k, dim]
    families: tuple[str | None, ...]  # of the validation instruments
    distractor_families: tuple[str | None, ...]

    @classmethod
    def of_views(
        cls, valid: ClipEmbeddings, train: ClipEmbeddings, max_clips: int, seed: int
    ) -> "CalibrationLibraries":
        """Divide the training instruments and enrol all."""
        group = split_groups(train.instruments)
        names = np.unique(group)
        if len(names) < 2:
            raise TrainingError(
                "a cohort beside distractors needs training instruments of two split groups",
                value=len(names),
                limit=2,
            )
        half = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
        in_cohort = np.isin(group, half)
        prototypes = train.enrolled(np.flatnonzero(in_cohort).tolist(), max_clips)
        others = np.flatnonzero(~in_cohort).tolist()
        whole = range(len(valid.instruments))
        clips = range(1, max_clips + 1)
        return cls(
            split_groups(valid.instruments),
            np.stack([valid.enrolled(whole, number) for number in clips]),
            np.stack([train.enrolled(others, number) for number in clips]),
            cluster(prototypes, COHORT_SIZE, seed),
            tuple(one.family for one in valid.instruments),
            tuple(train.instruments[place].family for place in others),
        )

    def draw(self, playing: Places, rng: np.random.Generator) -> SearchedLibrary:
        """Draw a library of 4 instruments or more, up to all, that lacks about half of `playing` and their near-duplicates.

        Sizes are even in their logarithm. Validation instruments come before training ones.
        """
        max_clips = len(self.enrolled)
        left_out = self.group[playing][rng.random(len(playing)) < 0.5]
        allowed = np.flatnonzero(~np.isin(self.group, left_out))
        present = np.intersect1d(playing, allowed)
        others = rng.permutation(np.setdiff1d(allowed, playing))
        most = len(allowed) + self.distractors.shape[1]
        size = round(float(np.exp(rng.uniform(np.log(MIN_LIBRARY), np.log(max(most, MIN_LIBRARY))))))
        chosen = np.concatenate([present, others[: max(size - len(present), 0)]])
        extra = rng.permutation(self.distractors.shape[1])[: max(size - len(chosen), 0)]
        clips = int(rng.integers(max_clips))
        return SearchedLibrary(
            np.concatenate([self.enrolled[clips, chosen], self.distractors[clips, extra]]),
            np.concatenate([chosen, np.full(len(extra), ABSENT)]),
            np.full(len(chosen) + len(extra), clips + 1),
            (
                *(self.families[place] for place in chosen),
                *(self.distractor_families[place] for place in extra),
            ),
        )


def split_groups(instruments: tuple[DatasetInstrument, ...]) -> Places:
    """Return the split group of each instrument; one without a group is a group of its own."""
    return np.array(
        [-1 - place if one.group is None else one.group for place, one in enumerate(instruments)], np.int64
    )


def cluster(prototypes: Floats, size: int, seed: int) -> Floats:
    """Return at most `size` centres of `prototypes [n, dim]`, of unit norm and in half precision, as the file holds them."""
    means = KMeans(min(size, len(prototypes)), n_init=1, random_state=seed).fit(prototypes)
    centres = unit(means.cluster_centers_.astype(np.float32))
    return centres.astype(np.float16).astype(np.float32)


def validation_lanes(
    pair: EncoderPair, valid: ClipEmbeddings, libraries: CalibrationLibraries, seed: int
) -> LabelledLanes:
    """Answer passages of all validation instruments, of each of `LENGTHS`, from drawn libraries."""
    held = HeldOut(valid.bank, tuple(range(len(valid.instruments))), len(libraries.enrolled))
    rng = np.random.default_rng([seed, 2])

    def lanes() -> Iterator[LabelledLanes]:
        number = 0
        for clips in LENGTHS:
            count = min(NUM_PASSAGES, PASSAGES_EACH * len(held.chosen))
            numbers = passage_numbers(count * SHARE, len(held.chosen))
            encoded = encode_passages(pair, held, numbers, seed + clips, clips)
            for passage in known_passages(valid, held, encoded):
                for _ in range(NUM_LIBRARIES):
                    library = libraries.draw(passage.playing, rng)
                    yield label_lanes(
                        number, passage, library, pair.presence_threshold, libraries.cohort, pair.family
                    )
                number += 1

    return join(lanes())


def word_thresholds(
    owned: Bools, probability: Values, precision: Mapping[str, float] = PRECISION
) -> dict[str, float]:
    """Return each word's least probability: near it, as well as above it, at least its `precision` is `owned [lanes]`.

    An isotonic regression tells the share near a probability; the share of all lanes from a probability on would let a few
    certain lanes vouch for hopeless ones. A word that is left with fewer than `MIN_LANES` lanes is never given: its threshold
    is above 1.
    """
    share = IsotonicRegression(y_min=0, y_max=1).fit_transform(probability, owned)
    out = {}
    for word, least in precision.items():
        reached = probability[share >= least]
        out[word] = float(reached.min()) if len(reached) >= MIN_LANES else 1.01
    return out


def out_of_fold(features: Values, lanes: LabelledLanes) -> Values:
    """Return probabilities from models that have not seen the lane's passage."""
    folds = GroupKFold(min(FOLDS, len(np.unique(lanes.passage))))
    found: Values = cross_val_predict(
        _logistic(), features, lanes.owned, groups=lanes.passage, cv=folds, method="predict_proba"
    )
    return found[:, 1]


def fit(lanes: LabelledLanes, cohort: Floats) -> MatchModel:
    """Fit the model to labelled lanes; thresholds and figures are of lanes of passages that it had not seen.

    Raises TrainingError unless there are lanes of both kinds.
    """
    if lanes.owned.all() or not lanes.owned.any():
        raise TrainingError(
            f"of {len(lanes.owned)} validation lanes {lanes.owned.sum()} have their instrument in the library; "
            "a match model needs lanes of both kinds",
            value=int(lanes.owned.sum()),
            limit=f"1 to {len(lanes.owned) - 1}",
        )
    reach = round(float(np.quantile(lanes.own_reach[lanes.has_stem], 1 - REACH_SHARE)), 2)
    probability = out_of_fold(lanes.features, lanes)
    weights = unit_weights(int(lanes.passage.max()) + 1)
    metrics = figures(lanes, probability, reach, weights) | calibration(lanes, probability, weights)
    kept = [place for place, name in enumerate(FEATURES) if not name.startswith("cohort")]
    without = figures(lanes, out_of_fold(lanes.features[:, kept], lanes), reach, weights)
    alone = figures(lanes, lanes.features[:, FEATURES.index("similarity")], reach, weights)
    metrics |= {
        "absence_auroc_without_cohort": without["absence_auroc"],
        "absence_auroc_of_similarity": alone["absence_auroc"],
    }
    scaler, logistic = (step for _, step in _logistic().fit(lanes.features, lanes.owned).steps)
    return MatchModel(
        weight=tuple(logistic.coef_[0].tolist()),
        bias=float(logistic.intercept_[0]),
        mean=tuple(scaler.mean_.tolist()),
        scale=tuple(scaler.scale_.tolist()),
        threshold={
            word: round(least, 4) for word, least in word_thresholds(lanes.owned, probability).items()
        },
        precision=PRECISION,
        reach=reach,
        cohort=cohort,
        metrics={name: round(float(value[0]), 4) for name, value in metrics.items()},
    )


def _logistic() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))


def fit_match(pair: EncoderPair, valid: ClipEmbeddings, train: ClipEmbeddings, seed: int = 0) -> MatchModel:
    """Fit the match model of a pair, whose presence threshold must be the one that it is served with."""
    max_clips = min(MAX_CLIPS, valid.bank.clips_per_instrument // 2, train.bank.clips_per_instrument)
    libraries = CalibrationLibraries.of_views(valid, train, max_clips, seed)
    return fit(validation_lanes(pair, valid, libraries, seed), libraries.cohort)


def described(model: MatchModel) -> Iterator[str]:
    """Yield the lines that say what was fitted."""
    for name, weight in zip(FEATURES, model.weight, strict=True):
        yield f"weight {name} {weight:.3f}"
    for word in WORDS[:-1]:
        yield f"{word} from {model.threshold[word]:.4f}, where {model.precision[word]:g} are in the library"
    yield f"reach {model.reach:g}"
    for name, value in model.metrics.items():
        yield f"{name} {value:g}"


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Fit the match model of released encoders on validation data and write it beside them."
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the pair (the shipped one)")
    parser.add_argument("--bank", type=Path, required=True, help="data set with the splits train and valid")
    parser.add_argument("--cache", type=Path, default=Path("data/evaluation"), help="folder for embeddings")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    pair = EncoderPair.load(options.weights, options.device, with_match=False)
    valid, train = (ClipEmbeddings.open(pair, options.bank, split, options.cache) for split in (VALID, TRAIN))
    model = fit_match(pair, valid, train, options.seed)
    model.save(
        options.weights / MATCH_FILE,
        file_hash(options.weights / SINGLE_FILE),
        file_hash(options.weights / MULTI_FILE),
    )
    for line in described(model):
        print(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
