"""Fixtures for the training tests: encoders that several tests share and only read."""

from pathlib import Path

import pytest

from tests.training.tiny_runs import LONG_BANK, train_tiny_single


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single encoder after the few steps of `tiny`; its folder holds the whole run."""
    return train_tiny_single(tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="session")
def learned_single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single encoder after enough steps to recognise the tones of `LONG_BANK`."""
    longer = ("seed = 1", "steps = 80", "batch_size = 12", "log_every = 10", "optimizer.learning_rate = 0.01")
    return train_tiny_single(tmp_path_factory.mktemp("learned"), *longer, bank=LONG_BANK)
