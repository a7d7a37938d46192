"""Recognised families in the documents of instruments and in `showme index list`, until a person corrects them."""

from pathlib import Path

import numpy as np
import pytest

from models.checkpoint import file_hash
from models.encoder_pair import INSTRUMENT_FAMILY_FILE, SINGLE_FILE
from models.family import FamilyModel
from tests.app.commands import CONFIG, run, write_weights
from tests.app.serving import enrolled, running
from tests.app.sounds import audio, tone
from tests.encoders import random_pair
from tests.index.pitch_families import HIGH_HZ, LOW_HZ, families_by_pitch

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
