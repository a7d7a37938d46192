"""One service with one small library for the whole folder; tests that need other settings start their own.

The library holds the four tones of `sounds.TONES`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, running
from tests.app.sounds import TONES, audio, tone


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def client(data_dir: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    with running(data_dir, pair) as client:
        yield client


@pytest.fixture(scope="session")
def library(client: httpx.Client) -> dict[str, Any]:
    """Four instruments."""
    made = client.post("/v1/libraries", json={"name": "Tones"}).json()
    files = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
    assert enrolled(client, made["id"], *files)["state"] == "done"
    found: dict[str, Any] = client.get(f"/v1/libraries/{made['id']}").json()
    return found
