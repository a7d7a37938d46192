"""Recognised families in the documents of instruments and in `showme index list`, until a person corrects them."""

from pathlib import Path

import pytest
import torch

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoder_pair import SOLO_FILE
from models.recognition.solo import SoloConfig, SoloNetwork
from tests.app.commands import run, write_weights
from tests.app.serving import enrolled, running
from tests.app.sounds import audio, tone
from tests.encoders import random_pair
from tests.index.pitch_recogniser import HIGH_HZ, LOW_HZ, PitchRecogniser

FILES = (
    ("Thing.wav", audio(tone(LOW_HZ))),
    ("Stuff.wav", audio(tone(HIGH_HZ))),
    ("Organ.wav", audio(tone(LOW_HZ))),
)
RECOGNISED = {"bass": 0.9, "flute": 0.1}


def test_documents_tell_recognised_families_from_named_ones(tmp_path: Path) -> None:
    pair = random_pair()
    pair.solo = PitchRecogniser()
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "One"})
        assert enrolled(client, "One", *FILES)["state"] == "done"
        items = {row["name"]: row for row in client.get("/v1/libraries/One/instruments").json()["items"]}
        told = {name: [row[key] for key in ("family", "recognised_family")] for name, row in items.items()}
        assert told == {"Thing": [None, "bass"], "Stuff": [None, "flute"], "Organ": ["organ", None]}
        assert items["Thing"]["families"] == RECOGNISED
        assert items["Organ"]["families"] is None
        address = f"/v1/instruments/{items['Thing']['id']}"
        assert client.get(address).json() == items["Thing"]
        corrected = client.patch(address, json={"family": "guitar"}).json()
        assert corrected == items["Thing"] | {"family": "guitar", "recognised_family": None, "families": None}
        assert enrolled(client, "One", FILES[0])["state"] == "done"
        again = client.get("/v1/libraries/One/instruments").json()["items"][-1]
        assert [again[key] for key in ("name", "family", "families")] == ["Thing (2)", "guitar", None]


def test_the_list_marks_recognised_families(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = write_weights(environment / "weights")
    config = SoloConfig(families=("bass", "brass"), width=2, hidden=8)
    network = SoloNetwork(config)
    for value in network.parameters():  # hears everything alike: the first family, at one half
        torch.nn.init.zeros_(value)
    save_checkpoint(network, CheckpointHeader("solo", config.to_dict()), weights / SOLO_FILE)
    monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(weights))
    for name, content in FILES:
        (environment / "samples").mkdir(exist_ok=True)
        (environment / "samples" / name).write_bytes(content)
    run("index", "add", environment / "samples", "--library", "Mine")
    rows = [line.split() for line in run("index", "list", "Mine").splitlines()]
    told = {row[0]: row[1:4] for row in rows if row and row[0] in ("Thing", "Organ")}
    assert told["Thing"] == ["≈", "bass", ".50"]
    assert told["Organ"][0] == "organ"
