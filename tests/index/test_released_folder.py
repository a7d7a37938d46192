"""A data folder of the released version opens: `make_released_folder.py` made its catalogue with commit 0ab6738."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.instrument_index import InstrumentIndex
from models.errors import InstrumentNotFound
from tests.app.serving import running
from tests.index.make_released_folder import BANDS, wave
from tests.index.tone_pair import TonePair

CENTURY_SECONDS = 100 * 365 * 24 * 3600.0  # the deletions of the dump can still be undone
PRESENT = ["Bright Lead", "Deep Tone", "Soft Flute"]  # "Deep Tone" was "Low Bass" until it was corrected
DUMP = Path(__file__).with_name("released_folder.sql")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    database = sqlite3.connect(tmp_path / "showme.db")
    database.executescript(DUMP.read_text())
    database.close()
    return tmp_path


@pytest.fixture
def released(data_dir: Path) -> Iterator[InstrumentIndex]:
    pair = TonePair()
    index = InstrumentIndex(data_dir, pair.encoder_hash, pair.embedding_dim, undo_seconds=CENTURY_SECONDS)
    index.open()
    yield index
    index.close()


def ids_in_dump(data_dir: Path, table: str, condition: str = "1") -> list[str]:
    database = sqlite3.connect(data_dir / "showme.db")
    found = [row[0] for row in database.execute(f"SELECT id FROM {table} WHERE {condition} ORDER BY id")]
    database.close()
    return found


def test_it_is_listed_searched_and_verified(released: InstrumentIndex) -> None:
    (library,) = released.libraries.all()
    assert (library.name, library.num_instruments) == ("Tones", 3)
    rows, after = released.instruments.page("Tones")
    assert ([row.name for row in rows], after) == (PRESENT, None)
    assert {row.name: (row.family, row.num_clips) for row in rows}["Deep Tone"] == ("synth_lead", 2)
    queries = np.eye(released.embedding_dim, dtype=np.float32)[[BANDS["Low Bass"], BANDS["Soft Flute"]]]
    best = [hits[0] for hits in released.searchable("Tones").search(queries, 1)]
    assert [hit.name for hit in best] == ["Deep Tone", "Soft Flute"]
    assert all(hit.similarity > 0.99 for hit in best)
    instruments, layout = released.maps.get(library.id)
    assert [one.name for one in instruments] == PRESENT
    assert np.abs(layout.points).max() == pytest.approx(1.0, abs=0.01)
    faults = released.verify()  # the dump holds no files
    assert faults == [f"library 'Tones': {name}: its preview is missing" for name in PRESENT]


def test_its_deletions_can_be_undone(released: InstrumentIndex) -> None:
    root = released.folder.root
    (instrument,) = ids_in_dump(root, "instrument", "deleted_at IS NOT NULL")
    (library,) = ids_in_dump(root, "library", "deleted_at IS NOT NULL")
    assert released.instruments.restore(instrument).name == "Glass Bell"
    assert released.libraries.restore(library).name == "Deleted"
    query = np.eye(released.embedding_dim, dtype=np.float32)[[BANDS["Glass Bell"]]]
    assert released.searchable("Tones").search(query, 1)[0][0].instrument_id == instrument
    assert [fault for fault in released.verify() if "preview" not in fault] == []


def test_its_deletions_are_purged_in_time(data_dir: Path) -> None:
    (deleted,) = ids_in_dump(data_dir, "instrument", "deleted_at IS NOT NULL")
    pair = TonePair()
    index = InstrumentIndex(data_dir, pair.encoder_hash, pair.embedding_dim, undo_seconds=0.0)
    index.open()
    assert deleted not in ids_in_dump(data_dir, "instrument")
    with pytest.raises(InstrumentNotFound):
        index.instruments.restore(deleted)
    index.close()


def test_it_is_served_with_its_jobs_and_queries(data_dir: Path) -> None:
    (job,), (query,) = ids_in_dump(data_dir, "job"), ids_in_dump(data_dir, "query")
    with running(data_dir, TonePair(), undo_seconds=CENTURY_SECONDS) as client:
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "done"
        (listed,) = client.get("/v1/queries").json()["items"]
        assert (listed["id"], listed["num_instruments"]) == (query, 2)
        stored = client.get(f"/v1/queries/{query}").json()
        assert {slot["hits"][0]["name"] for slot in stored["slots"]} == {"Deep Tone", "Bright Lead"}
        asked = client.post(
            "/v1/queries", files={"file": ("again.wav", wave(1, 9))}, data={"library": "Tones"}
        )
        assert asked.status_code == 200, asked.text
        assert set(asked.json()["retrieved"]) == set(stored["retrieved"])
