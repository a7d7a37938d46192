"""Family model: which family of instruments an embedding is of, and what that says about a library's instruments.

A linear softmax over embeddings. One is fitted to slots of training mixtures (`training/family.py`). Where a recording is far
from the library's sound, a slot resembles relatives and strangers about alike, but its family is still heard
(docs/EXPERIMENTS.md). So the two are put together as probabilities: the softmax of the cosines times the root of the
chance that the families agree. Another is fitted to clips of single instruments (`training/instrument_family.py`), and tells
what an instrument is whose source does not say.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.atomic import atomic_path
from models.errors import CheckpointError, EncoderMismatch
from models.posterior import SCALE

Floats = NDArray[np.float32]

FORMAT = "showme-family/1"
# Both chosen on validation: real solos and rendered passages (docs/EXPERIMENTS.md).
STRENGTH = 0.5  # exponent of the agreement
LEAST_AGREEMENT = 0.03  # so that a family that is not heard at all costs .12 of a cosine, not everything
REFIT = "fit it again with `python -m {}`"


@dataclass(frozen=True, eq=False)
class FamilyModel:
    """Softmax of `weight [families, dim]` times the embedding plus `bias [families]`, in the order of `families`."""

    families: tuple[str, ...]
    weight: Floats
    bias: Floats

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or not len(self.families) == len(self.weight) == len(self.bias):
            shapes = f"weight {self.weight.shape}, bias {self.bias.shape}"
            raise ValueError(f"{len(self.families)} families, {shapes}")

    def probability(self, embedding: Floats) -> Floats:
        """The probability of each family: `[q, dim]` of unit norm → `[q, families]`, rows sum to 1."""
        logit = embedding @ self.weight.T + self.bias
        share: Floats = np.exp(logit - logit.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        return share

    def shares(self, embedding: Floats, families: Sequence[str | None]) -> Floats:
        """`[n, families]` of a library's instruments: all of the stated family, or as heard where none is stated."""
        share = self.probability(embedding)
        for row, family in enumerate(families):
            if family in self.families:
                share[row] = 0.0
                share[row, self.families.index(family)] = 1.0
        return share

    def bonus(self, embedding: Floats, share: Floats) -> Floats:
        """Return the addition to the cosines: `embedding [q, dim]`, `share [n, families]` → `[q, n]`, from −.12 to 0.

        In the softmax of `SCALE` times the cosine it is a factor: the probability that query and instrument are of one family,
        to the power of `STRENGTH`.
        """
        agreement = np.maximum(self.probability(embedding) @ share.T, LEAST_AGREEMENT)
        added: Floats = np.log(np.minimum(agreement, 1.0)) * np.float32(STRENGTH / SCALE)
        return added

    def save(self, path: Path, single_hash: str, multi_hash: str | None) -> None:
        """Write the model in half precision; replaces the file at once. `multi_hash` is None for a model of clips."""
        header = {
            "format": FORMAT,
            "families": self.families,
            "single": single_hash,
            "multi": multi_hash,
        }
        tensors = {"weight": self.weight.astype(np.float16), "bias": self.bias.astype(np.float16)}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata={"showme": json.dumps(header)})
            temporary.chmod(0o644)  # safetensors makes it readable by the owner only

    @classmethod
    def load(cls, path: Path, single_hash: str, multi_hash: str | None) -> "FamilyModel":
        """Read the model of slots of a pair of encoders or, without `multi_hash`, of the single encoder's clips.

        Raises CheckpointError for a file that cannot be read, EncoderMismatch for another pair's.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {})["showme"])
                tensors = [np.asarray(file.get_tensor(name), np.float32) for name in ("weight", "bias")]
            if header["format"] != FORMAT:
                raise ValueError(f"format {header['format']!r}, {FORMAT!r} is wanted")
            fitted_to = (header["single"], header["multi"])
            model = cls(tuple(header["families"]), *tensors)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a readable family model: {error}", value=str(path)
            ) from error
        if fitted_to != (single_hash, multi_hash):
            refit = REFIT.format("training.family" if multi_hash else "training.instrument_family")
            raise EncoderMismatch(
                f"{path.name} was fitted to other encoders than those beside it; {refit}",
                value=(single_hash, multi_hash),
                limit=fitted_to,
            )
        return model
