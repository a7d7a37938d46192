"""Fixtures for every test: a seeded generator and a tiny pair of encoders with random weights.

Hypothesis sets no deadline here: on a busy machine the time of one example says nothing about the code.
"""

import os
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
import torch
from hypothesis import settings

from index.decoding.workers import DecodeWorkers
from models.encoder_pair import EncoderPair
from tests.encoders import random_pair

# Readline sets these in the workers of pytest-xdist, and a console would take them for the size of a terminal.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

settings.register_profile("busy-machine", deadline=None)
settings.load_profile("busy-machine")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small networks run faster on one thread, and the same everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def workers() -> Iterator[DecodeWorkers]:
    """Processes that decode, for tests that stop none of them."""
    with closing(DecodeWorkers()) as workers:
        yield workers


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def pair() -> EncoderPair:
    return random_pair()
