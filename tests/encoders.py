"""A tiny pair of encoders with random weights: quick and deterministic, for tests of everything around the encoders."""

from typing import TypeVar

import numpy as np
import torch

from index.families import FAMILIES
from models.encoder_pair import EncoderPair
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.family import FamilyModel
from models.match import FEATURES, MatchModel

Pair = TypeVar("Pair", bound=EncoderPair)


def random_pair(seed: int = 0) -> EncoderPair:
    """A pair on the CPU: 32-dimensional embeddings, three slots, a match by similarity; another seed gives another hash."""
    return random_pair_of(EncoderPair, seed)


def random_pair_of(kind: type[Pair], seed: int = 0) -> Pair:
    """Return the pair of `random_pair` as an instance of `kind`, a subclass defined by a test."""
    config = EncoderConfig(
        backbone="compact",
        backbone_options={"widths": [4, 8, 8]},
        embedding_dim=32,
        num_slots=3,
        head="attention",
        head_options={"width": 16, "depth": 1, "num_heads": 2},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        single, multi = SingleInstrumentEncoder(config), MultiInstrumentEncoder(config)
    match = match_by_similarity(config.embedding_dim)
    return kind(single, multi, f"sha256:{seed:064x}", torch.device("cpu"), match=match)


def random_families(dim: int, seed: int = 0) -> FamilyModel:
    """A family model of random weights over all families."""
    weight = np.random.default_rng(seed).normal(0, 4, (len(FAMILIES), dim)).astype(np.float32)
    return FamilyModel(FAMILIES, weight, np.zeros(len(FAMILIES), np.float32))


def match_by_similarity(dim: int, similarity: float = 0.35, steepness: float = 20.0) -> MatchModel:
    """A match model that reads nothing but the similarity, of which `similarity` gives a probability of one half."""
    weight = tuple(steepness * (name == "similarity") for name in FEATURES)
    even, cohort = (1.0,) * len(FEATURES), np.eye(1, dim, dtype=np.float32)
    threshold = {"strong": 0.9, "fair": 0.7, "weak": 0.5}
    return MatchModel(
        weight, -steepness * similarity, (0.0,) * len(FEATURES), even, threshold, threshold, 0.5, cohort
    )
