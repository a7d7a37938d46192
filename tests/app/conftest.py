"""Fixtures of the HTTP tests: one shared service for tests that only read, and a private one for tests that write.

Both libraries hold the four tones of `sounds.TONES`. The fixtures of the command `showme` are below them.
"""

import io
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.logs import JsonLines
from models.encoder_pair import EncoderPair
from tests.app.commands import write_weights
from tests.app.keyed import KeyedService, Owned, keyed, made
from tests.app.serving import LogLines, SteppedPair, enrolled, running
from tests.app.sounds import TONES, audio, mixture, tone
from tests.databases import move_rows
from tests.encoders import random_pair_of


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def client(data_dir: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    with running(data_dir, pair) as client:
        yield client


@pytest.fixture(scope="session")
def library(client: httpx.Client) -> dict[str, Any]:
    """The shared library of four instruments."""
    made = client.post("/v1/libraries", json={"name": "Tones"}).json()
    files = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
    assert enrolled(client, made["id"], *files)["state"] == "done"
    found: dict[str, Any] = client.get(f"/v1/libraries/{made['id']}").json()
    return found


@pytest.fixture(scope="session")
def tones_dir(tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Path:
    """A data folder with the four tones in the library `One`, to be copied: enrolling is the slow part of a test."""
    folder = tmp_path_factory.mktemp("tones")
    with running(folder, pair) as client:
        client.post("/v1/libraries", json={"name": "One"})
        files = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
        assert enrolled(client, "One", *files)["state"] == "done"
    return folder


@pytest.fixture
def own(tones_dir: Path, tmp_path: Path, pair: EncoderPair, database: str | None) -> Iterator[httpx.Client]:
    """A service of the test's own, over a copy of `tones_dir` in `tmp_path`."""
    shutil.copytree(tones_dir, tmp_path, dirs_exist_ok=True)
    move_rows(tmp_path)
    with running(tmp_path, pair) as client:
        yield client


@pytest.fixture(scope="module")
def service(
    tones_dir: Path, tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair
) -> Iterator[KeyedService]:
    """A service that needs keys, over a copy of `tones_dir`."""
    folder = tmp_path_factory.mktemp("keyed") / "data"
    shutil.copytree(tones_dir, folder)
    with keyed(folder, pair) as service:
        yield service


@pytest.fixture(scope="module")
def alice(service: KeyedService) -> httpx.Client:
    return service.client("alice")


@pytest.fixture(scope="module")
def mine(alice: httpx.Client) -> Owned:
    """All that alice has."""
    return made(alice)


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """Collect the service's log as JSON lines, and return those so far."""
    written, logger = io.StringIO(), logging.getLogger("showme")
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def stepped() -> SteppedPair:
    pair = random_pair_of(SteppedPair)
    assert isinstance(pair, SteppedPair)
    pair.pause()
    return pair


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def environment(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, the tiny encoders, no default library."""
    values = {
        "DATA_DIR": tmp_path / "data",
        "WEIGHTS_DIR": weights,
        "DEVICE": "cpu",
        "DEFAULT_LIBRARY": "none",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SHOWME_{name}", str(value))
    monkeypatch.setenv("COLUMNS", "140")
    return tmp_path


@pytest.fixture
def folder(environment: Path) -> Path:
    """A folder of four instruments."""
    path = environment / "samples"
    for name, hz in TONES.items():
        (path / name).mkdir(parents=True)
        (path / name / "a.wav").write_bytes(audio(tone(hz)))
    return path


@pytest.fixture
def song(environment: Path) -> Path:
    path = environment / "song [v2].wav"
    path.write_bytes(mixture())
    return path
