"""Recognised families in the documents of instruments and in `showme index list`, until a person corrects them."""

from pathlib import Path

import numpy as np
import pytest

from app import Engine
from models.checkpoint import file_hash
from models.encoder_pair import INSTRUMENT_FAMILY_FILE, SINGLE_FILE
from models.family import FamilyModel
from tests.app.commands import CONFIG, run, write_weights
from tests.app.serving import enrolled, running, settings_for
from tests.app.sounds import audio, tone
from tests.encoders import random_pair
from tests.index.pitch_families import HIGH_HZ, LOW_HZ, families_by_pitch
from tests.index.test_database import locked

FILES = (
    ("Thing.wav", audio(tone(LOW_HZ))),
    ("Stuff.wav", audio(tone(HIGH_HZ))),
    ("Organ.wav", audio(tone(LOW_HZ))),
)


def test_documents_tell_recognised_families_from_named_ones(tmp_path: Path) -> None:
    pair = random_pair()
    seconds = pair.clip_samples / pair.sample_rate
    pair.instrument_family = families_by_pitch(pair, (tone(LOW_HZ, seconds), tone(HIGH_HZ, seconds)))
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "One"})
        assert enrolled(client, "One", *FILES)["state"] == "done"
        items = {row["name"]: row for row in client.get("/v1/libraries/One/instruments").json()["items"]}
        told = {name: [row[key] for key in ("family", "recognised_family")] for name, row in items.items()}
        assert told == {"Thing": [None, "bass"], "Stuff": [None, "flute"], "Organ": ["organ", None]}
        families = items["Thing"]["families"]
        assert list(families) == ["bass", "flute"]
        assert sum(families.values()) == pytest.approx(1, abs=1e-3)
        assert items["Organ"]["families"] is None
        asked = client.post("/v1/queries", files={"file": FILES[0]}, data={"library": "One", "mode": "paper"})
        hits = {hit["name"]: hit for slot in asked.json()["slots"] for hit in slot["hits"]}
        assert {name: (hit["family"], hit["recognised_family"]) for name, hit in hits.items()} == {
            name: (family, recognised) for name, (family, recognised) in told.items()
        }
        address = f"/v1/instruments/{items['Thing']['id']}"
        assert client.get(address).json() == items["Thing"]
        corrected = client.patch(address, json={"family": "guitar"}).json()
        assert corrected == items["Thing"] | {"family": "guitar", "recognised_family": None, "families": None}
        assert enrolled(client, "One", FILES[0])["state"] == "done"
        again = client.get("/v1/libraries/One/instruments").json()["items"][-1]
        assert [again[key] for key in ("name", "family", "families")] == ["Thing (2)", "guitar", None]


def test_the_list_marks_recognised_families(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = write_weights(environment / "weights")
    zeros = np.zeros((2, CONFIG.embedding_dim), np.float32)
    model = FamilyModel(
        ("bass", "brass"), zeros, zeros[:, 0]
    )  # hears everything alike: the first family, at one half
    model.save(weights / INSTRUMENT_FAMILY_FILE, file_hash(weights / SINGLE_FILE), None)
    monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(weights))
    for name, content in FILES:
        (environment / "samples").mkdir(exist_ok=True)
        (environment / "samples" / name).write_bytes(content)
    run("index", "add", environment / "samples", "--library", "Mine")
    rows = [line.split() for line in run("index", "list", "Mine").splitlines()]
    told = {row[0]: row[1:4] for row in rows if row and row[0] in ("Thing", "Organ")}
    assert told["Thing"] == ["≈", "bass", ".50"]
    assert told["Organ"][0] == "organ"


def test_a_locked_database_is_opened_and_recognised_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = random_pair()
    (tmp_path / "samples").mkdir()
    for name, content in FILES:
        (tmp_path / "samples" / name).write_bytes(content)
    settings = settings_for(tmp_path / "data")
    with Engine(settings, pair) as engine:
        engine.enroll(tmp_path / "samples", "One")
    seconds = pair.clip_samples / pair.sample_rate
    pair.instrument_family = families_by_pitch(pair, (tone(LOW_HZ, seconds), tone(HIGH_HZ, seconds)))

    def recognised() -> dict[str, str | None]:
        found, _ = engine.index.instruments.page("One")
        return {one.name: one.recognised_family for one in found}

    monkeypatch.setattr("index.database.sqlite.BUSY_SECONDS", 0.2)
    with locked(tmp_path / "data"), Engine(settings, pair) as engine:
        assert set(recognised().values()) == {None}
    with Engine(settings, pair) as engine:
        assert recognised() == {"Thing": "bass", "Stuff": "flute", "Organ": None}
