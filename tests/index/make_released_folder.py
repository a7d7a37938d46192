"""Make `released_folder.sql`, an SQL dump of the catalogue written by a released version of the program.

The script speaks HTTP to a service of the version that is on PYTHONPATH, with the pair of encoders of `tone_pair.py`. The
committed dump was made by commit 0ab6738, from a checkout of it in RELEASED:

    PYTHONPATH=RELEASED python tests/index/make_released_folder.py tests/index/released_folder.sql
"""

import sqlite3
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.app.serving import enrolled, running
from tests.app.sounds import audio
from tests.index.tone_pair import TonePair, band_hz

RATE = 8000
BANDS = {"Low Bass": 1, "Soft Flute": 5, "Bright Lead": 9, "Glass Bell": 13}  # instrument → band of the pair


def wave(*bands: int, seconds: float = 2.0) -> bytes:
    """A wav file with one sine for each band."""
    at = np.arange(int(seconds * RATE)) / RATE
    samples = np.sum([0.2 * np.sin(2 * np.pi * band_hz(band) * at) for band in bands], axis=0)
    return audio(samples.astype(np.float32), RATE)


def fill(data_dir: Path) -> None:
    """Enroll four instruments, correct one, delete one, ask a query, draw the map, and delete another library."""
    with running(data_dir, TonePair()) as client:
        library = client.post("/v1/libraries", json={"name": "Tones"}).json()["id"]
        files = [(f"{name}.wav", wave(band)) for name, band in BANDS.items()]
        assert enrolled(client, library, *files)["state"] == "done"
        items = client.get(f"/v1/libraries/{library}/instruments").json()["items"]
        id_of = {item["name"]: item["id"] for item in items}
        correction = {"name": "Deep Tone", "family": "synth_lead"}
        client.patch(f"/v1/instruments/{id_of['Low Bass']}", json=correction).raise_for_status()
        mixture = {"file": ("mixture.wav", wave(1, 9))}
        client.post("/v1/queries", files=mixture, data={"library": library}).raise_for_status()
        client.get(f"/v1/libraries/{library}/map").raise_for_status()
        client.delete(f"/v1/instruments/{id_of['Glass Bell']}").raise_for_status()
        other = client.post("/v1/libraries", json={"name": "Deleted"}).json()["id"]
        client.delete(f"/v1/libraries/{other}").raise_for_status()


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        database = sqlite3.connect(Path(folder) / "showme.db")
        target.write_text("\n".join(database.iterdump()) + "\n")
        database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
