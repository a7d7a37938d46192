"""A tiny pair of encoders with random weights: quick and deterministic, for tests of everything around the encoders."""

from typing import TypeVar

import torch

from models.encoder_pair import EncoderPair
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder

Pair = TypeVar("Pair", bound=EncoderPair)


def random_pair(seed: int = 0) -> EncoderPair:
    """A pair on the CPU: 32-dimensional embeddings, three slots; another seed gives another encoder hash."""
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
    return kind(single, multi, f"sha256:{seed:064x}", torch.device("cpu"))
