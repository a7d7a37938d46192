"""Fit the model that puts the slots' families and the frame-level network together, on validation recordings with scores.

    python -m training.timeline --weights models/weights --data banks/scores

`--weights` holds the encoders, their family model and the frame-level network; the model is written beside them. New encoders
of `training.release` need it fitted again. No test data are used.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from index.recognition import recognise
from models.device import DEVICES
from models.encoder_pair import TIMELINE_FILE, WEIGHTS, EncoderPair, timeline_files
from models.errors import SilentAudio
from models.recognition.frame_level import POOLED_FRAMES
from models.recognition.timeline_model import TimelineModel, in_frames, log_odds
from training.commands import cli_errors
from training.musicnet import ScoredRecording, classes_of, recordings_of
from training.nlakh.dataset import VALID
from training.recognition.frame_features import Bytes, frame_maps, pooled
from training.recognition.frame_scores import Floats, best_thresholds, counts, mean_f1

PENALTY = 1.0  # on the weights and biases, as `C` of scikit-learn
EVERY = 3  # frames, of which one is fitted to: neighbours tell the same


class HeardFrames(NamedTuple):
    """One recording: probabilities `[frames, families]` by slots and by the network, and the truth."""

    slots: Floats
    frames: Floats
    target: Bytes


def hear(pair: EncoderPair, recording: ScoredRecording) -> HeardFrames | None:
    """Hear a recording as the service does; None for silence."""
    recogniser, samples = pair.frame_level_recogniser(), recording.samples(pair.sample_rate)
    try:
        curves = {one.family: one.curve for one in recognise(pair, samples)}
    except SilentAudio:
        return None
    timeline = recogniser.timeline(samples, pair.sample_rate)
    families, length = timeline.families, len(timeline.probability) * POOLED_FRAMES
    _, target = frame_maps(recording.notes(), length, classes_of(families), len(families))
    return HeardFrames(in_frames(timeline, curves), timeline.probability, pooled(target))


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


def held_out_f1(heard: Sequence[HeardFrames], families: tuple[str, ...]) -> dict[str, float]:
    """The mean F1 by slots, by the network and by both, each fitted to one half of the recordings and tried on the other."""
    totals = {name: np.zeros((3, len(families))) for name in ("slots", "network", "both")}
    for half in (0, 1):
        seen, unseen = heard[half::2], heard[1 - half :: 2]
        model, target = fit(seen, families), [one.target for one in unseen]
        for name, told, thresholds in (
            ("slots", [one.slots for one in unseen], _thresholds([one.slots for one in seen], seen)),
            ("network", [one.frames for one in unseen], _thresholds([one.frames for one in seen], seen)),
            ("both", [model.probability(one.slots, one.frames) for one in unseen], model.thresholds),
        ):
            totals[name] += counts(told, target, thresholds).sum(axis=0)
    return {name: float(mean_f1(total)) for name, total in totals.items()}


def _thresholds(told: Sequence[NDArray[np.float32]], heard: Sequence[HeardFrames]) -> tuple[float, ...]:
    return best_thresholds(np.concatenate(told), np.concatenate([one.target for one in heard]))


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="folder of the encoders and the network"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="recordings in MusicNet's form"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args(argv)
    pair = EncoderPair.load(options.weights, options.device, with_match=False, with_timeline=False)
    families = pair.frame_level_recogniser().config.families
    recordings = recordings_of(options.data, VALID)
    heard = [one for one in (hear(pair, recording) for recording in recordings) if one]
    scores = ", ".join(f"{name} {f1:.3f}" for name, f1 in held_out_f1(heard, families).items())
    print(f"mean F1 on the other half of {len(heard)} recordings: {scores}")
    model = fit(heard, families)
    model.save(options.weights / TIMELINE_FILE, timeline_files(options.weights))
    print(f"wrote {options.weights / TIMELINE_FILE}: slots {model.slots:.2f}, network {model.frames:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
