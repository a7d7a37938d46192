"""`showme backup` and `showme restore` beside running services: the restored folder is served with the same answers."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from models.encoder_pair import EncoderPair
from tests.app.commands import assert_one_line, run
from tests.app.serving import SteppedPair, enrolled, finished_job, running
from tests.app.sounds import audio, mixture, tone
from tests.app.test_enrollment import FILES, send


@pytest.fixture
def aside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what lies outside the data folder of the fixture `own`."""
    return tmp_path_factory.mktemp("aside")


def answer_of(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """Ask `One` about the mixture; the answer without its id and its times."""
    answer = client.post(
        "/v1/queries", files={"file": ("a.wav", mixture())}, data={"library": "One", **fields}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return {key: value for key, value in body.items() if key not in ("id", "audio_url", "timing_ms")}


def test_a_running_service_is_backed_up_and_served_again(
    own: httpx.Client, tmp_path: Path, aside: Path, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = own.post("/v1/queries", files={"file": ("a.wav", mixture())}, data={"library": "One"}).json()
    answers = [answer_of(own), answer_of(own, mode="paper")]
    items = own.get("/v1/libraries/One/instruments").json()["items"]
    previews = [own.get(item["preview_url"]).content for item in items]
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path))
    archive = aside / "backup.zip"
    told = run("backup", archive)
    assert "libraries 1, instruments 4, queries 3" in told
    own.delete("/v1/libraries/One")
    monkeypatch.setenv("SHOWME_DATA_DIR", str(again := aside / "again"))
    assert "instruments 4" in run("restore", archive)
    with running(again, pair) as client:
        assert [answer_of(client), answer_of(client, mode="paper")] == answers
        assert client.get("/v1/libraries/One/instruments").json()["items"] == items
        assert client.get(f"/v1/queries/{stored['id']}").json() == stored
        assert client.get(stored["audio_url"]).content == mixture()
        assert [client.get(item["preview_url"]).content for item in items] == previews
        assert enrolled(client, "One", ("New.wav", audio(tone(700.0))))["state"] == "done"


def test_an_enrollment_that_ran_goes_on_in_the_restored_backup(
    tmp_path: Path, stepped: SteppedPair, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease does not hold, and its upload is in the backup."""
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path / "data"))
    with running(tmp_path / "data", stepped) as client:
        client.post("/v1/libraries", json={"name": "L"})
        job = send(client, "L", *FILES).json()
        assert stepped.started.wait(30)
        run("backup", tmp_path / "backup.zip")
        assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "running"
        stepped.allowed.set()
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path / "again"))
    run("restore", tmp_path / "backup.zip")
    with running(tmp_path / "again", pair) as client:
        assert finished_job(client, job)["message"] == "2 added"
        assert client.get("/v1/libraries/L").json()["num_instruments"] == 2


def test_mistakes_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path / "data"))
    assert_one_line(run("backup", tmp_path / "backup.zip", code=2))
    assert_one_line(run("restore", tmp_path / "backup.zip", code=2))
    (tmp_path / "words.zip").write_text("words")
    assert_one_line(run("restore", tmp_path / "words.zip", code=2))
    assert [path.name for path in tmp_path.iterdir()] == ["words.zip"]
    told = run("restore", tmp_path / "words.zip", code=2)
    assert "no backup of this program" in told


def test_the_uploads_can_be_left_out(
    own: httpx.Client, tmp_path: Path, aside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path))
    for options, folder in (([], "with"), (["--without-uploads"], "without")):
        archive, target = aside / f"{folder}.zip", aside / folder
        run("backup", archive, *options)
        with monkeypatch.context() as there:
            there.setenv("SHOWME_DATA_DIR", str(target))
            run("restore", archive)
        assert (target / "uploads").exists() == (folder == "with")
        assert len(list((target / "previews").iterdir())) == 4
