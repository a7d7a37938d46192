"""Fixtures for every test: a seeded generator, a tiny pair of encoders with random weights, and the database.

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
from tests.databases import VARIABLE
from tests.encoders import random_pair
from tests.postgresql_server import PostgresqlServer, programs, running_server

# Readline sets these in the workers of pytest-xdist, and a console would take them for the size of a terminal.
# A database that the developer uses is none for tests.
for name in ("COLUMNS", "LINES", VARIABLE):
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked so on both databases."""
    if "database" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server of this process's tests."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's server was not found (Debian's package `postgresql`)")
    pytest.importorskip("psycopg", reason="psycopg is not installed (the extra `postgres`)")
    with running_server(found) as server:
        yield server


@pytest.fixture
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The URL of an empty PostgreSQL database, which the environment names; None: a test on SQLite, as all are by default."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    url = server.new_database()
    monkeypatch.setenv(VARIABLE, url)
    return url


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def pair() -> EncoderPair:
    return random_pair()
