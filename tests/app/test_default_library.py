"""The default library: enrolled in the background on first start, kept, and used by queries that name no library."""

import threading
from pathlib import Path

import httpx
import pytest

from app.default_library import DefaultLibrary
from app.job_store import JobStore
from app.main import create_app
from index.decoding.remote_source import DecodingOpener
from index.decoding.workers import DecodeWorkers
from index.instrument_index import InstrumentIndex
from models.encoder_pair import EncoderPair, Floats
from models.errors import SourceError
from tests.app.serving import enrolled, finished_job, problem, running, serving, settings_for, until
from tests.app.sounds import mixture
from tests.encoders import random_pair, random_pair_of
from tests.index.tiny_soundfont import PATCHES, write_soundfont

FILE = {"file": ("mix.wav", mixture())}


class GatedPair(EncoderPair):
    """Embeds once the gate is open."""

    gate = threading.Event()

    def embed(self, clips: Floats) -> Floats:
        assert self.gate.wait(30)
        return super().embed(clips)


@pytest.fixture
def font(tmp_path: Path) -> Path:
    return write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])


def ready(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200


def test_it_cannot_be_deleted(tmp_path: Path, font: Path) -> None:
    with running(tmp_path / "data", random_pair(), default_library=str(font)) as client:
        until(lambda: ready(client))
        before = client.get("/v1/libraries/Studio").json()
        assert problem(client.delete("/v1/libraries/Studio"), 409, "library-kept")["value"] == "Studio"
        assert problem(client.delete(f"/v1/libraries/{before['id']}"), 409, "library-kept")
        assert client.get("/v1/libraries/Studio").json() == before
        client.post("/v1/libraries", json={"name": "Another"})
        assert client.delete("/v1/libraries/Another").status_code == 204


def test_first_start_answers_while_it_enrolls(tmp_path: Path, font: Path) -> None:
    heard: list[str] = []
    settings = settings_for(tmp_path / "data", default_library=str(font))
    app = create_app(settings, pair=random_pair_of(GatedPair), listener=lambda view: heard.append(view.state))
    with serving(app) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
        body = problem(answer, 503, "not-ready")
        assert body["progress"]["total"] == 2
        assert body["ready"] is False
        assert answer.headers["retry-after"]
        busy = client.post("/v1/queries", files=FILE)
        assert problem(busy, 503, "busy")["limit"] == 2
        GatedPair.gate.set()
        until(lambda: ready(client))
        assert client.get("/readyz").json()["instruments"] == 2
        assert client.get("/v1/libraries").json()["items"][0]["default"] is True
        client.post("/v1/libraries", json={"name": "Another"})
        assert client.post("/v1/queries", files=FILE).json()["library"]["name"] == "Studio"
    assert heard[0] == "running"
    assert heard[-1] == "done"


def test_it_is_kept_for_the_next_start(tmp_path: Path, font: Path, pair: EncoderPair) -> None:
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: ready(client))
        first = client.get("/v1/libraries").json()
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        assert ready(client)
        assert client.get("/v1/libraries").json() == first


def test_another_encoder_updates_it_and_what_somebody_added(
    tmp_path: Path, font: Path, pair: EncoderPair
) -> None:
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: ready(client))
        library = client.get("/v1/libraries").json()["items"][0]
        assert enrolled(client, library["id"], ("mine.wav", mixture()))["state"] == "done"
        before = client.get("/v1/libraries/Studio/instruments").json()["items"]
    (moved := tmp_path / "moved").mkdir()  # as the environment that it ships in may be, by an upgrade
    font = font.rename(moved / font.name)
    with running(tmp_path / "data", random_pair(seed=1), default_library=str(font)) as client:
        until(lambda: ready(client))
        after = client.get("/v1/libraries").json()["items"]
        assert after == [library | {"encoder": random_pair(seed=1).encoder_hash, "num_instruments": 3}]
        assert client.get("/v1/libraries/Studio/instruments").json()["items"] == before
        assert client.post("/v1/queries", files=FILE).status_code == 200


def test_nobody_waits_for_an_update_that_is_turned_off(tmp_path: Path, font: Path, pair: EncoderPair) -> None:
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: ready(client))
    settings = {"default_library": str(font), "update_libraries": False}
    with running(tmp_path / "data", random_pair(seed=1), **settings) as client:
        assert ready(client)
        problem(client.post("/v1/queries", files=FILE), 409, "encoder-mismatch")
        job = client.post("/v1/libraries/Studio/reembed").json()
        assert finished_job(client, job)["state"] == "done"
        assert client.post("/v1/queries", files=FILE).status_code == 200


def test_a_start_that_was_interrupted_is_made_good(tmp_path: Path, font: Path, pair: EncoderPair) -> None:
    with running(tmp_path / "data", pair) as client:
        client.post("/v1/libraries", json={"name": "Studio"})  # the state after a kill before the transaction
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: ready(client))
        assert client.get("/readyz").json()["instruments"] == 2


def test_none_disables_it(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, default_library="None") as client:
        assert ready(client)
        assert client.get("/v1/libraries").json()["items"] == []


def test_the_shipped_soundfont_has_128_presets_and_its_drum_kits(workers: DecodeWorkers) -> None:
    default = DefaultLibrary.of_setting(None, DecodingOpener(workers))
    assert default
    assert default.name == "TimGM6mb"
    kits = [one for one in default.open_source() if "#128:" in one.source]
    assert len(default.open_source()) == 128 + len(kits) == 136


def test_a_broken_default_makes_no_library(tmp_path: Path, pair: EncoderPair, workers: DecodeWorkers) -> None:
    broken = tmp_path / "Broken.sf2"
    broken.write_bytes(b"RIFF")
    default = DefaultLibrary.of_setting(str(broken), DecodingOpener(workers))
    assert default
    index = InstrumentIndex(tmp_path / "data", pair.encoder_hash, pair.embedding_dim)
    index.open()
    with pytest.raises(SourceError):
        default.to_fill(index, JobStore(index.catalog))
    assert index.libraries.all() == []
    index.close()


def test_its_name_is_written_as_the_index_writes_names(tmp_path: Path, pair: EncoderPair) -> None:
    font = write_soundfont(tmp_path / " My   Font .sf2", PATCHES[:1])
    for _ in range(2):
        with running(tmp_path / "data", pair, default_library=str(font)) as client:
            until(lambda: ready(client))
            assert [item["name"] for item in client.get("/v1/libraries").json()["items"]] == ["My Font"]
