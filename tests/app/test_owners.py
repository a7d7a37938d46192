"""What each key has of its own beside the others: limits, the default library, streams, and a record of what it deleted."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.ownership import MACHINE_OWNER, Caller
from app.default_library import DefaultLibrary, is_default
from index.decoding.remote_source import DecodingOpener
from index.decoding.workers import DecodeWorkers
from index.deletions import recorded_deletions
from index.instrument_index import InstrumentIndex
from models.encoder_pair import EncoderPair
from tests.app.keyed import FILE, TONE, KeyedService, Owned, keyed, made
from tests.app.serving import problem


def test_one_key_does_not_push_out_the_queries_of_another(
    tones_dir: Path, tmp_path: Path, pair: EncoderPair
) -> None:
    shutil.copytree(tones_dir, tmp_path, dirs_exist_ok=True)
    with keyed(tmp_path, pair, max_stored_queries=2) as service:
        admin, other = service.client("admin", "admin"), service.client("other")
        admin.patch("/v1/libraries/One", json={"shared": True})
        kept = admin.post("/v1/queries", files=FILE).json()["id"]
        asked = [other.post("/v1/queries", files=FILE).json()["id"] for _ in range(3)]
        assert admin.get(f"/v1/queries/{kept}/audio").status_code == 200
        assert [one["id"] for one in other.get("/v1/queries").json()["items"]] == asked[:0:-1]


def test_the_default_library_is_shared_and_stays_so(
    tones_dir: Path, tmp_path: Path, pair: EncoderPair
) -> None:
    shutil.copytree(tones_dir, tmp_path / "data")
    (tmp_path / "One").mkdir()
    (tmp_path / "One" / "a.wav").write_bytes(TONE[1])
    with keyed(tmp_path / "data", pair, default_library=str(tmp_path / "One")) as service:
        writer, admin = service.client("writer"), service.client("admin", "admin")
        (default,) = writer.get("/v1/libraries").json()["items"]
        assert (default["default"], default["shared"], default["writable"]) == (True, True, False)
        assert service.stranger.get("/readyz").json()["libraries"] == 1
        assert writer.post("/v1/queries", files=FILE).status_code == 200
        problem(writer.delete("/v1/libraries/One"), 403, "library-not-owned")
        problem(admin.patch("/v1/libraries/One", json={"shared": False}), 422, "invalid-request")
        own = writer.post(
            "/v1/libraries", json={"name": "One"}
        ).json()  # its name makes no library the default one
        assert (own["default"], own["shared"]) == (False, False)
        assert admin.get("/v1/libraries/One").json()["id"] == default["id"]
        assert writer.post("/v1/queries", files=FILE).json()["library"]["id"] == default["id"]
        assert writer.delete(f"/v1/libraries/{own['id']}").status_code == 204


def test_a_job_stream_ends_with_its_key(service: KeyedService, alice: httpx.Client, mine: Owned) -> None:
    key, secret = service.keys.create("watcher", "admin")
    client = service.client_of(secret)
    assert "data:" in client.get(f"/v1/jobs/{mine.job}/events").text
    service.keys.revoke(key.id)
    problem(client.get(f"/v1/jobs/{mine.job}/events"), 401, "key-refused")


def test_deletions_are_recorded_with_ids_alone(tmp_path: Path, pair: EncoderPair) -> None:
    with keyed(tmp_path, pair) as service:
        frank, key = service.client("frank"), service.key_of("frank")
        own = made(frank, "Private name")
        for path in (f"instruments/{own.instrument}", f"queries/{own.query}", f"libraries/{own.library}"):
            answer = frank.delete(f"/v1/{path}", headers={"X-Request-ID": path.partition("/")[0]})
            assert answer.status_code == 204
            assert frank.delete(f"/v1/{path}").status_code == 404  # not recorded twice
        service.keys.revoke(key.id)
        service.keys.revoke(key.id)
    index = InstrumentIndex(tmp_path, pair.encoder_hash, pair.embedding_dim)
    index.open()
    index.libraries.delete(index.libraries.create("By the terminal").id)
    found = recorded_deletions(index.catalog, 9)
    index.close()
    assert [(one.kind, one.key_id, one.request_id) for one in found] == [
        ("library", None, None),
        ("key", None, None),
        ("library", key.id, "libraries"),
        ("query", key.id, "queries"),
        ("instrument", key.id, "instruments"),
    ]
    assert {one.item_id for one in found} >= {own.library, own.query, own.instrument, key.id}
    assert "name" not in str(found)


@pytest.mark.parametrize("scope", ["read", "write"])
def test_nobody_owns_what_is_the_machine_owners(scope: Any) -> None:
    assert not Caller("k_1", scope).owns(None)
    assert not Caller(None, scope).owns(None)
    assert not Caller(None, None).owns(None)
    assert MACHINE_OWNER.owns(None)
    assert MACHINE_OWNER.owns("k_1")


def test_a_library_of_a_key_is_never_the_default_one(tmp_path: Path, pair: EncoderPair) -> None:
    index = InstrumentIndex(tmp_path, pair.encoder_hash, pair.embedding_dim)
    index.open()
    default = DefaultLibrary.of_setting(None, DecodingOpener(DecodeWorkers()))
    assert default is not None
    claimed = index.libraries.create(default.name, "k_1")
    assert not is_default(claimed, default)
    assert default.find(index) is None
    real = index.libraries.create(default.name)
    assert is_default(real, default)
    assert default.find(index) == real
    assert index.libraries.get(default.name) == real
    index.close()
