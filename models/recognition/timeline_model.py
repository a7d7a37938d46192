"""How surely each family sounds in each tenth of a second: by the slots of windows, and by the frame-level network.

Slots know families better, but five seconds at a time; the network hears every tenth of a second for itself. A logistic model
puts both together, and is better than either (docs/EXPERIMENTS.md, "Families over time"). It is fitted to a pair of encoders
and a network (`training/timeline.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_atomically
from models.errors import CheckpointError, EncoderMismatch
from models.recognition.frame_level_recogniser import FamilyTimeline
from models.tracks import Curve

Floats = NDArray[np.float32]

FORMAT = "showme-timeline/1"
LEAST = 1e-3  # probabilities are kept this far from 0 and 1
REFIT = "fit it again with `python -m training.timeline`"


@dataclass(frozen=True)
class TimelineModel:
    """The log odds of a family are `slots` times those by slots, plus `frames` times those by the network, plus its `bias`.

    `thresholds` tell from which probability on each of the `families` is taken to sound.
    """

    families: tuple[str, ...]
    slots: float
    frames: float
    bias: tuple[float, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.families) == len(self.bias) == len(self.thresholds):
            counts = f"{len(self.bias)} biases, {len(self.thresholds)} thresholds"
            raise ValueError(f"{len(self.families)} families, {counts}")

    def fused(self, timeline: FamilyTimeline, curves: Mapping[str, Curve]) -> FamilyTimeline:
        """A network's `timeline` put together with what slots hear: `curves` by family, in seconds of the file.

        A family without a curve is one that slots do not hear. Raises ValueError for a network of other families.
        """
        if timeline.families != self.families:
            raise ValueError(f"fitted to the families {self.families}, not to {timeline.families}")
        probability = self.probability(in_frames(timeline, curves), timeline.probability)
        return replace(timeline, thresholds=self.thresholds, probability=probability)

    def probability(self, by_slots: Floats, by_network: Floats) -> Floats:
        """The probabilities of both put together, `[frames, families]` each and in the result."""
        logit = self.slots * log_odds(by_slots) + self.frames * log_odds(by_network)
        out: Floats = 1 / (1 + np.exp(-(logit + np.asarray(self.bias, np.float32))))
        return out

    def save(self, path: Path, fitted_to: Mapping[str, str]) -> None:
        """Write the model; `fitted_to` are the hashes of the files that it belongs to. Replaces the file at once."""
        content = {"format": FORMAT, "fitted_to": dict(fitted_to), **asdict(self)}
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path, fitted_to: Mapping[str, str]) -> "TimelineModel":
        """Read the model that was fitted to files with the hashes `fitted_to`.

        Raises CheckpointError for a file that is missing or cannot be read, EncoderMismatch if it was fitted to other files.
        """
        try:
            content = json.loads(path.read_text())
            if content.pop("format") != FORMAT:
                raise ValueError(f"the format is not {FORMAT!r}")
            known = content.pop("fitted_to")
            families, bias, thresholds = (tuple(content[name]) for name in ("families", "bias", "thresholds"))
            model = cls(families, float(content["slots"]), float(content["frames"]), bias, thresholds)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a readable timeline model: {error}; {REFIT}", value=str(path)
            ) from error
        if known != dict(fitted_to):
            raise EncoderMismatch(
                f"{path.name} was fitted to other files than those beside it; {REFIT}",
                value=dict(fitted_to),
                limit=known,
            )
        return model


def in_frames(timeline: FamilyTimeline, curves: Mapping[str, Curve]) -> Floats:
    """The probabilities of `curves` in the middle of each frame of a timeline, `[frames, families]`; 0 without a curve."""
    middle = timeline.time(0) + (np.arange(len(timeline.probability)) + 0.5) * timeline.frame_seconds
    out = np.zeros(timeline.probability.shape, np.float32)
    for place, family in enumerate(timeline.families):
        if curve := curves.get(family):
            second, probability = zip(*curve, strict=True)
            out[:, place] = np.interp(middle, second, probability)
    return out


def log_odds(probability: Floats) -> Floats:
    """The logarithm of the odds of probabilities, none of them quite 0 or 1."""
    kept = np.clip(probability, LEAST, 1 - LEAST)
    out: Floats = np.log(kept / (1 - kept))
    return out
