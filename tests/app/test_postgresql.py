"""The service and the commands with their catalogue in PostgreSQL, from the first start to a restart of the server."""

from pathlib import Path

import httpx
import pytest

from app.doctor.data import check_database
from app.engine import Engine
from models.encoder_pair import EncoderPair
from models.errors import DatabaseUnavailable
from tests.app.commands import assert_one_line, run
from tests.app.keyed import keyed
from tests.app.serving import enrolled, problem, running, settings_for, until
from tests.app.sounds import TONES, audio, mixture, tone
from tests.postgresql_server import PostgresqlServer

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
MIX = {"file": ("mix.wav", mixture(1.0))}


def ask(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/queries", files=MIX, data={"library": "L"})


def test_a_service_works_and_outlives_a_restart_of_its_server(
    tmp_path: Path, pair: EncoderPair, database: str, postgresql: PostgresqlServer
) -> None:
    with running(tmp_path, pair) as client:
        assert client.post("/v1/libraries", json={"name": "L"}).status_code == 201
        files = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
        assert enrolled(client, "L", *files)["state"] == "done"
        asked = ask(client).json()
        assert client.get("/v1/queries").json()["items"][0]["id"] == asked["id"]
        page = client.get("/v1/libraries/L/instruments", params={"next": "9" * 18})
        assert page.json()["items"] == []
        problem(client.get("/v1/libraries/a%00b"), 404, "library-not-found")
        postgresql.stop()
        try:
            for answer in (client.get("/v1/libraries"), ask(client), client.delete("/v1/libraries/L")):
                told = problem(answer, 503, "database-unavailable")
                assert told["detail"] == "the database cannot be reached; try again"
                assert answer.headers["retry-after"]
            assert "cannot be reached" in client.get("/readyz").json()["detail"]
            assert "showme_database_readable 0.0" in client.get("/metrics").text
            assert client.get("/healthz").status_code == 200
        finally:
            postgresql.start()
        until(lambda: client.get("/readyz").status_code == 200)
        assert ask(client).json()["instruments"] == asked["instruments"]
        assert client.delete("/v1/libraries/L").status_code == 204
    assert not list(tmp_path.glob("showme.db*"))


def test_keys_and_their_things_are_kept_there(tmp_path: Path, pair: EncoderPair, database: str) -> None:
    with keyed(tmp_path, pair) as service:
        alice, bob = service.client("alice"), service.client("bob")
        for client in (alice, bob):
            assert client.post("/v1/libraries", json={"name": "Same"}).status_code == 201
        (library,) = alice.get("/v1/libraries").json()["items"]
        problem(bob.get(f"/v1/libraries/{library['id']}"), 404, "library-not-found")
        problem(alice.post("/v1/libraries", json={"name": "Same"}), 409, "library-exists")
        assert alice.delete(f"/v1/libraries/{library['id']}").status_code == 204
        service.keys.revoke(service.key_of("alice").id)
        problem(alice.get("/v1/libraries"), 401, "key-refused")


def test_the_commands_use_it_and_say_what_is_not_theirs(environment: Path, database: str) -> None:
    assert run("keys", "create", "studio").splitlines()[-1].startswith("showme_")
    assert "studio" in run("keys", "list")
    refused = run("backup", environment / "backup.zip", code=2)
    assert_one_line(refused)
    assert all(name in refused for name in ("pg_dump", "previews/", "queries/", "uploads/"))
    assert_one_line(run("restore", environment / "backup.zip", code=2))
    assert not (environment / "data" / "showme.db").exists()


def test_the_doctor_looks_at_the_server(
    environment: Path, database: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> tuple[str, str]:
        first = next(check_database(settings_for(environment / "data", weights_dir=weights)))
        return first.state, first.message

    assert found() == ("right", "there is none yet; the first start makes it")
    run("keys", "create", "studio")
    assert found()[0] == "right"
    assert "PostgreSQL is sound" in found()[1]
    monkeypatch.setenv("SHOWME_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/showme")
    assert found() == ("wrong", "the database showme on 127.0.0.1:1 cannot be used: Connection refused")
    assert "secret" not in run("doctor", code=1)
    assert "secret" not in run("keys", "list", code=2)
    with pytest.raises(DatabaseUnavailable):
        Engine.open(environment / "data")
