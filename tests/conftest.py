"""Fixtures for every test: a seeded generator and a tiny pair of encoders with random weights."""

import numpy as np
import pytest
import torch

from models.encoder_pair import EncoderPair
from tests.encoders import random_pair


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small networks run faster on one thread, and the same everywhere."""
    torch.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def pair() -> EncoderPair:
    return random_pair()
