"""Match: how likely a library holds the instrument that plays in a lane, as opposed to the nearest one there is.

A logistic model over a few features of a lane's search, fitted and calibrated on validation instruments, half of which were
taken out of the library (`training/match.py`). As in speaker verification (cohort normalisation: Auckenthaler et al. 2000),
a similarity counts by how much it exceeds that of a background cohort: a stranger is nearer to somebody else's instrument.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.atomic import atomic_path
from models.errors import CheckpointError, EncoderMismatch
from models.posterior import softmax_shares

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Word = Literal["strong", "fair", "weak", "none"]

WORDS: tuple[Word, ...] = get_args(Word)
FORMAT = "showme-match/2"  # 2: of similarities that families take part in
COHORT = "cohort"  # name of the file's tensor
NEAREST = 10  # prototypes of the cohort that a mean is of
# Beyond these the fit has seen nothing, so more of it says no more.
MAX_CLIPS = 8  # enrolled clips of an instrument
MAX_WEIGHT = 5.0  # sum of a lane's presence over its windows: fifteen seconds

FEATURES = (
    "similarity",  # of the best hit
    "gap",  # to the second hit
    "entropy",  # of the shares of all instruments, over that of equal shares
    "presence",
    "library_size",  # logarithm of the number of instruments
    "num_clips",  # logarithm of the number of clips that the best hit was enrolled with
    "cohort_gap",  # similarity of the best hit above that of the nearest training prototype
    "cohort_mean_gap",  # and above the mean of the ten nearest
    "agreement",  # share of the windows whose own best hit is the lane's, towards 0 for few windows
    "windows",  # logarithm of the presence summed over the windows
    "crowd",  # instruments that sound at once: presence summed over all slots of a window
)


class Match(NamedTuple):
    """The probability (0…1) that the library holds what plays in a lane, and the word for it."""

    probability: float
    word: Word


NO_MATCH = Match(0.0, "none")


@dataclass(frozen=True)
class LaneEvidence:
    """The search of a library of n instruments with the lanes of one answer.

    A lane's `weight` is its presence summed over windows, `agreeing` the part of it in windows whose own best hit is the
    lane's, `crowd` the presence of all slots, averaged over the lane's windows.
    """

    embedding: Floats  # [lanes, dim], of unit norm
    presence: Floats  # [lanes]
    similarity: Floats  # [lanes, n], −inf leaves an instrument out
    num_clips: Ints  # [n]
    weight: Floats  # [lanes]
    agreeing: Floats  # [lanes]
    crowd: Floats  # [lanes]

    def features(self, cohort: Floats) -> Doubles:
        """`[lanes, FEATURES]`, against a `cohort [k ≥ 1, dim]`. At least one instrument must not be left out."""
        if not len(self.presence):
            return np.zeros((0, len(FEATURES)))
        size = int(np.isfinite(self.similarity[0]).sum())
        best = self.similarity.argmax(axis=1)
        ordered = -np.partition(-self.similarity, min(1, self.similarity.shape[1] - 1), axis=1)
        similarity = ordered[:, 0]
        gap = similarity - ordered[:, 1] if size > 1 else np.zeros_like(similarity)
        near = -np.partition(-(self.embedding @ cohort.T), min(NEAREST, len(cohort)) - 1, axis=1)[:, :NEAREST]
        share = softmax_shares(self.similarity)
        entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1)
        weight = np.minimum(self.weight, MAX_WEIGHT)
        agreeing = self.agreeing / np.maximum(self.weight, 1e-6) * weight
        columns = {
            "similarity": similarity,
            "gap": gap,
            "entropy": entropy / np.log(size) if size > 1 else np.ones_like(similarity),
            "presence": self.presence,
            "library_size": np.full(len(best), np.log(size)),
            "num_clips": np.log(np.clip(self.num_clips[best], 1, MAX_CLIPS)),
            "cohort_gap": similarity - near.max(axis=1),
            "cohort_mean_gap": similarity - near.mean(axis=1),
            "agreement": agreeing / (1 + weight),
            "windows": np.log(np.maximum(weight, 1e-3)),
            "crowd": self.crowd,
        }
        return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float64)


@dataclass(frozen=True)
class MatchModel:
    """A logistic model over standardised `FEATURES`, with the cohort that they need and the thresholds of the words.

    `threshold` has the least probability of each word but `none`; of the validation lanes at that probability, and of those
    above it, at least the share `precision` was owned. `reach` is the cosine with a clean stem that 90 % of stems have with
    their own instrument; only the evaluation uses it. `metrics` are the figures on validation.
    """

    weight: tuple[float, ...]
    bias: float
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    threshold: Mapping[str, float]
    precision: Mapping[str, float]
    reach: float
    cohort: Floats  # [k, dim], of unit norm
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = [len(self.weight), len(self.mean), len(self.scale)]
        if sizes != [len(FEATURES)] * 3 or self.cohort.ndim != 2 or set(self.threshold) != set(WORDS[:-1]):
            raise ValueError(
                f"{sizes} coefficients, a cohort {self.cohort.shape}, words {list(self.threshold)}"
            )

    def probability(self, features: Doubles) -> Doubles:
        """`features [lanes, FEATURES]` → `[lanes]` in 0…1."""
        logit = (features - np.array(self.mean)) / np.array(self.scale) @ np.array(self.weight) + self.bias
        return 1 / (1 + np.exp(-np.clip(logit, -50, 50)))

    def word(self, probability: float) -> Word:
        """The strongest word whose threshold the probability reaches."""
        return next((word for word in WORDS[:-1] if probability >= self.threshold[word]), WORDS[-1])

    def matches(self, evidence: LaneEvidence) -> tuple[Match, ...]:
        """The match of each lane; `NO_MATCH` where every instrument is left out."""
        if not np.isfinite(evidence.similarity).any():
            return (NO_MATCH,) * len(evidence.presence)
        found = self.probability(evidence.features(self.cohort)).tolist()
        return tuple(Match(one, self.word(one)) for one in found)

    def save(self, path: Path, single_hash: str, multi_hash: str) -> None:
        """Write the model atomically, for the pair of encoders whose files have these hashes."""
        values = {name: value for name, value in asdict(self).items() if name != COHORT}
        header = {"format": FORMAT, "features": FEATURES, "single": single_hash, "multi": multi_hash}
        metadata = {"showme": json.dumps(header | values, sort_keys=True)}
        with atomic_path(path) as partial:
            save_file({COHORT: self.cohort.astype(np.float16)}, partial, metadata=metadata)
            partial.chmod(0o644)  # safetensors makes it readable by the owner only

    @classmethod
    def load(cls, path: Path, single_hash: str, multi_hash: str) -> "MatchModel":
        """Read the model of a pair of encoders.

        Raises CheckpointError for a file that cannot be read or has other features, EncoderMismatch for another pair's.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                values: dict[str, Any] = json.loads((file.metadata() or {})["showme"])
                cohort = np.asarray(file.get_tensor(COHORT), np.float32)
            seen = (values.pop("format"), tuple(values.pop("features")))
            fitted_to = (values.pop("single"), values.pop("multi"))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a readable match model: {error}", value=str(path)
            ) from error
        if seen != (FORMAT, FEATURES):
            raise CheckpointError(
                f"{path} was fitted to other features; {REFIT}", value=seen, limit=(FORMAT, FEATURES)
            )
        if fitted_to != (single_hash, multi_hash):
            raise EncoderMismatch(
                f"{path.name} was fitted to other encoders than those beside it; {REFIT}",
                value=(single_hash, multi_hash),
                limit=fitted_to,
            )
        try:
            values |= {name: tuple(values[name]) for name in ("weight", "mean", "scale")}
            return cls(**values, cohort=cohort)
        except (TypeError, ValueError, KeyError) as error:
            raise CheckpointError(f"{path} does not fit its own header: {error}", value=str(path)) from error


REFIT = "fit it again with `python -m training.match`"
