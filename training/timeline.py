"""Fit the model that puts the slots' families and the frame-level network together, on validation recordings.

    python -m training.timeline --weights models/weights --data banks/scores --real recordings

It learns from rendered pieces, whose notes say when a family sounds, and from real solos and mixtures of them, whose families
are taken to sound throughout: on real sound the network is worse, and is listened to less than renderings alone would say.
`--weights` holds the encoders, their family model and the frame-level network; the model is written beside them. New encoders
of `training.release` need it fitted again. No test data are used.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from index.recognition import PLAYS, recognise
from models.device import DEVICES
from models.encoder_pair import TIMELINE_FILE, WEIGHTS, EncoderPair, timeline_files
from models.errors import SilentAudio
from models.recognition.frame_level import POOLED_FRAMES
from models.recognition.timeline_model import TimelineModel, in_frames, log_odds
from training.commands import cli_errors
from training.evaluation.real_queries import RealQueries, RealQuery
from training.musicnet import ScoredRecording, classes_of, recordings_of
from training.nlakh.dataset import VALID
from training.real.source import RealSource
from training.recognition.frame_features import Bytes, frame_maps, pooled
from training.recognition.frame_scores import Floats, best_thresholds

PENALTY = 1.0  # on the weights and biases, as `C` of scikit-learn
NUM_MIXTURES = 60  # of two real solos, and as many of three
SEED = 0
EVERY = 3  # frames, of which one is fitted to: neighbours tell the same


class HeardFrames(NamedTuple):
    """One recording: probabilities `[frames, families]` by slots and by the network, and the truth."""

    slots: Floats
    frames: Floats
    target: Bytes


def hear(pair: EncoderPair, samples: Floats) -> tuple[Floats, Floats]:
    """Hear `samples [n]` as the service does, by slots and by the network, `[frames, families]` each."""
    try:
        curves = {one.family: one.curve for one in recognise(pair, samples)}
    except SilentAudio:
        curves = {}
    timeline = pair.frame_level_recogniser().timeline(samples, pair.sample_rate)
    return in_frames(timeline, curves), timeline.probability


def hear_scored(pair: EncoderPair, recordings: Iterable[ScoredRecording]) -> Iterator[HeardFrames]:
    """Hear recordings whose notes are known."""
    families = pair.frame_level_recogniser().config.families
    for recording in recordings:
        slots, frames = hear(pair, recording.samples(pair.sample_rate))
        length = len(slots) * POOLED_FRAMES
        _, target = frame_maps(recording.notes(), length, classes_of(families), len(families))
        yield HeardFrames(slots, frames, pooled(target))


def hear_real(pair: EncoderPair, queries: Iterable[RealQuery]) -> Iterator[HeardFrames]:
    """Hear real recordings whose families are known; they are taken to sound throughout."""
    families = pair.frame_level_recogniser().config.families
    for query in queries:
        slots, frames = hear(pair, query.wave)
        sounds = np.array([family in query.families for family in families], np.uint8)
        yield HeardFrames(slots, frames, np.tile(sounds, (len(slots), 1)))


def fit(heard: Sequence[HeardFrames], families: tuple[str, ...]) -> TimelineModel:
    """Fit weights and biases by penalised likelihood, then the thresholds with the best F1."""
    slots, frames, target = (np.concatenate(column) for column in zip(*heard, strict=True))
    chosen = slice(None, None, EVERY)
    evidence = np.stack([log_odds(slots[chosen]).ravel(), log_odds(frames[chosen]).ravel()], axis=1)
    which = np.tile(np.eye(len(families), dtype=np.float32), (len(target[chosen]), 1))
    fitted = LogisticRegression(C=PENALTY, fit_intercept=False, max_iter=500).fit(
        np.concatenate([evidence, which], axis=1), target[chosen].ravel()
    )
    by_slots, by_frames, *bias = fitted.coef_[0].round(4).tolist()
    model = TimelineModel(families, by_slots, by_frames, tuple(bias), (0.5,) * len(families))
    return replace(model, thresholds=best_thresholds(model.probability(slots, frames), target))


def held_out_f1(
    pieces: Mapping[str, Sequence[HeardFrames]], families: tuple[str, ...], by_network: Sequence[float]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The F1 over all frames and families of each kind of pieces: by slots, by the network, and by both.

    Both are fitted to one half of all pieces and tried on the other. The network has the thresholds `by_network`.
    """
    models = [fit([one for heard in pieces.values() for one in heard[half::2]], families) for half in (0, 1)]
    for kind, heard in pieces.items():
        told = {"slots": [one.slots >= PLAYS for one in heard]}
        told["network"] = [one.frames >= np.asarray(by_network, np.float32) for one in heard]
        told["both"] = [
            models[1 - place % 2].probability(one.slots, one.frames) >= models[1 - place % 2].thresholds
            for place, one in enumerate(heard)
        ]
        target = np.concatenate([one.target for one in heard])
        yield kind, {name: micro_f1(np.concatenate(one), target) for name, one in told.items()}


def micro_f1(told: NDArray[np.bool_], target: Bytes) -> float:
    """F1 over all frames and families, `[n, families]` each."""
    right = (told & (target > 0)).sum()
    return float(2 * right / max(told.sum() + target.sum(), 1))


def validation_pieces(pair: EncoderPair, data: Path, real: Path) -> dict[str, list[HeardFrames]]:
    """Rendered pieces, and real solos, duets and trios where there are, of the validation side.

    Raises TrainingError and SourceError.
    """
    queries = RealQueries(RealSource(real), "validation", pair.sample_rate, SEED)
    solos = queries.solos()
    pieces = {
        "rendered pieces": list(hear_scored(pair, recordings_of(data, VALID))),
        "real solos": list(hear_real(pair, solos)),
        "real duets": list(hear_real(pair, queries.mixtures(solos, 2, NUM_MIXTURES))),
        "real trios": list(hear_real(pair, queries.mixtures(solos, 3, NUM_MIXTURES))),
    }
    return {kind: heard for kind, heard in pieces.items() if heard}


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="folder of the encoders and the network"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="recordings in MusicNet's form"
    )
    parser.add_argument("--real", type=Path, required=True, metavar="DIR", help="folder of real recordings")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args(argv)
    pair = EncoderPair.load(options.weights, options.device, with_match=False, with_timeline=False)
    config = pair.frame_level_recogniser().config
    pieces = validation_pieces(pair, options.data, options.real)
    for kind, scores in held_out_f1(pieces, config.families, config.thresholds):
        shown = ", ".join(f"{name} {f1:.3f}" for name, f1 in scores.items())
        print(f"{len(pieces[kind])} {kind}, F1 over all frames and families: {shown}")
    model = fit([one for heard in pieces.values() for one in heard], config.families)
    model.save(options.weights / TIMELINE_FILE, timeline_files(options.weights))
    print(f"wrote {options.weights / TIMELINE_FILE}: slots {model.slots:.2f}, network {model.frames:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
