"""Similar instruments in a direction, over HTTP; and instruments of before are measured while the service runs."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete, select

from index.catalog import Catalog
from index.libraries import DataFolder
from index.sound_descriptors import SoundDescriptors
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running, until
from tests.app.sounds import TONES, audio, tone

BY_PITCH = sorted(TONES, key=TONES.__getitem__)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("directions")


@pytest.fixture(scope="module")
def service(folder: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    """A service whose instruments were enrolled by a version that measured nothing."""
    with running(folder, pair) as client:
        client.post("/v1/libraries", json={"name": "Tones"})
        files = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
        assert enrolled(client, "Tones", *files)["state"] == "done"
    catalog = Catalog(DataFolder(folder).database)
    with catalog.write() as session:
        session.execute(delete(SoundDescriptors))
    with running(folder, pair) as client:
        yield client
    catalog.close()


def names(client: httpx.Client, name: str, **directions: float) -> list[str]:
    items = client.get("/v1/libraries/Tones/instruments").json()["items"]
    (one,) = [item["id"] for item in items if item["name"] == name]
    answer = client.get(f"/v1/instruments/{one}/similar", params=directions)
    assert answer.status_code == 200, answer.text
    return [hit["name"] for hit in answer.json()["items"]]


def test_older_instruments_are_measured_in_the_background(service: httpx.Client, folder: Path) -> None:
    catalog = Catalog(DataFolder(folder).database)

    def all_measured() -> bool:
        with catalog.session() as session:
            return len(session.scalars(select(SoundDescriptors.brightness)).all()) == len(TONES)

    until(all_measured)
    with catalog.session() as session:
        measured = session.scalars(select(SoundDescriptors.brightness)).all()
    catalog.close()
    assert None not in measured


def test_brighter_and_darker_lead_up_and_down(service: httpx.Client, folder: Path) -> None:
    test_older_instruments_are_measured_in_the_background(service, folder)
    middle = BY_PITCH[1]
    plain = names(service, middle)
    assert names(service, middle, brightness=0.0) == plain
    darker, brighter = names(service, middle, brightness=-1.0), names(service, middle, brightness=1.0)
    assert set(darker) == set(brighter) == set(plain)
    assert darker.index(BY_PITCH[0]) <= plain.index(BY_PITCH[0])
    assert brighter.index(BY_PITCH[3]) <= plain.index(BY_PITCH[3])
    assert brighter.index(BY_PITCH[0]) >= plain.index(BY_PITCH[0])


@pytest.mark.parametrize(
    "wrong", [{"brightness": 1.1}, {"attack": -2}, {"length": "nan"}, {"length": "much"}]
)
def test_a_direction_outside_its_limits_is_refused(
    service: httpx.Client, wrong: dict[str, float | str]
) -> None:
    items = service.get("/v1/libraries/Tones/instruments").json()["items"]
    problem(service.get(f"/v1/instruments/{items[0]['id']}/similar", params=wrong), 422, "invalid-request")
