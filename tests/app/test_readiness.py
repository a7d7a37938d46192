"""`/readyz` tells in words what keeps the service from answering, and the service goes on answering what it can."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.main import create_app
from models.encoder_pair import EncoderPair
from tests.app.serving import problem, serving, settings_for


@pytest.fixture
def data_dir(tmp_path: Path, tones_dir: Path) -> Path:
    """The four tones in the library `One`."""
    return Path(shutil.copytree(tones_dir, tmp_path / "data"))


@pytest.fixture
def app(data_dir: Path, pair: EncoderPair) -> FastAPI:
    return create_app(settings_for(data_dir), pair=pair)


@pytest.fixture
def served(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as client:
        yield client


def reasons(client: httpx.Client) -> list[str]:
    """Check that the service says that it is not ready, and return why."""
    answer = client.get("/readyz")
    body = problem(answer, 503, "not-ready")
    assert answer.headers["retry-after"]
    assert body["ready"] is False
    found: list[str] = body["reasons"]
    assert found
    assert body["detail"] == "; ".join(found)
    return found


def instruments(client: httpx.Client) -> Any:
    body = client.get("/readyz").json()
    assert (body["ready"], body["reasons"]) == (True, [])
    return body["instruments"]


def test_a_damaged_database_is_a_reason(app: FastAPI, served: httpx.Client, data_dir: Path) -> None:
    assert instruments(served) == 4
    content = (data_dir / "showme.db").read_bytes()
    app.state.service.index.catalog.engine.dispose()  # the pages that are in memory are sound
    (data_dir / "showme.db").write_bytes(content[:100] + bytes(len(content) - 100))
    (reason,) = reasons(served)
    assert "the database showme.db is damaged" in reason
    metrics = served.get("/metrics").text
    assert "showme_database_readable 0.0" in metrics
    assert "showme_libraries" not in metrics
    (data_dir / "showme.db").write_bytes(content)


def test_a_data_folder_that_is_gone_is_a_reason(app: FastAPI, served: httpx.Client, data_dir: Path) -> None:
    assert instruments(served) == 4
    app.state.service.index.catalog.engine.dispose()
    away = data_dir.rename(data_dir.with_name("away"))
    first, second = reasons(served)
    assert first == "the database showme.db cannot be opened (unable to open database file)"
    assert second == "the data folder cannot be reached: No such file or directory"
    assert served.get("/metrics").status_code == served.get("/healthz").status_code == 200
    away.rename(data_dir)
    assert instruments(served) == 4
