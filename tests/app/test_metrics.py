"""The metrics of a running service: its work, its libraries and its encoder, with few labels and without names."""

import shutil
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from app.gauges import MAX_LIBRARIES
from app.query_queue import QueryQueue
from index.catalog import Catalog
from index.records import library_sizes
from models.encoder_pair import EncoderPair
from tests.app.sounds import mixture

Labels = frozenset[tuple[str, str]]


def measured(client: httpx.Client) -> dict[str, dict[Labels, float]]:
    """Return the value of every sample by its name and labels."""
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return samples


def of(**labels: str) -> Labels:
    return frozenset(labels.items())


def test_work_and_state_are_told(client: httpx.Client, library: dict[str, Any], pair: EncoderPair) -> None:
    before = measured(client)["showme_encoder_batch_sum"][of(encoder="multi")]
    client.post("/v1/queries", files={"file": ("a.wav", mixture(9.0))}, data={"library": library["id"]})
    found = measured(client)
    assert [dict(labels)["hash"] for labels in found["showme_encoder_info"]] == [pair.encoder_hash]
    assert found["showme_encoder_batch_sum"][of(encoder="multi")] == before + 3  # windows
    assert found["showme_encoder_batch_sum"][of(encoder="single")] >= 4  # clips of four instruments
    stages = found["showme_query_seconds_sum"]
    total = stages.pop(of(stage="total"))
    assert set(stages) == {of(stage=stage) for stage in ("decode", "encode", "search")}
    assert total > sum(stages.values()) > 0
    assert found["showme_queries_waiting"] == {of(stage="decode"): 0, of(stage="encode"): 0}
    states = [(kind, state) for kind in ("enroll", "reembed", "watch") for state in ("queued", "running")]
    assert found["showme_jobs"] == {of(kind=kind, state=state): 0 for kind, state in states}
    assert found["showme_jobs_ended_total"][of(kind="enroll", state="done")] >= 1
    assert found["showme_library_instruments"][of(library=library["id"])] == 4
    assert found["showme_database_readable"] == {of(): 1}
    assert found["showme_disk_free_bytes"][of()] > 0
    assert found["showme_staged_bytes"] == {of(): 0}
    assert library["name"] not in client.get("/metrics").text


def test_many_libraries_do_not_make_many_labels(own: httpx.Client) -> None:
    for number in range(MAX_LIBRARIES + 5):
        own.post("/v1/libraries", json={"name": f"Library {number}"})
    deleted = own.get("/v1/libraries/Library 7").json()["id"]
    own.delete(f"/v1/libraries/{deleted}")
    found = measured(own)
    sizes = found["showme_library_instruments"]
    assert len(sizes) == MAX_LIBRARIES + 1
    assert sizes[of(library=own.get("/v1/libraries/One").json()["id"])] == sum(sizes.values()) == 4
    assert sizes[of(library="others")] == 0
    assert found["showme_libraries"][of()] == MAX_LIBRARIES + 5
    assert found["showme_instruments"][of()] == 4


def test_a_scrape_reads_no_instruments_rows(tones_dir: Path, tmp_path: Path) -> None:
    """They hold embeddings: a scrape that read them would take seconds where a library is large."""
    catalog = Catalog(Path(shutil.copy(tones_dir / "showme.db", tmp_path)))
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(catalog.engine, "before_cursor_execute", note)
    with catalog.session() as session:
        assert list(library_sizes(session).values()) == [4]
    counting = [statement for statement in statements if "FROM instrument" in statement]
    assert len(counting) == 1
    with catalog.engine.connect() as connection:
        (plan,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {counting[0]}").scalars("detail")
        steps = connection.exec_driver_sql(f"EXPLAIN {counting[0]}").all()
    catalog.close()
    assert plan == "SCAN instrument USING INDEX uq_instrument_name_kept"
    (rows,) = (step.p1 for step in steps if step.opcode == "DeferredSeek")
    assert not [step for step in steps if step.opcode == "Column" and step.p1 != rows]


def test_queries_that_wait_for_a_stage_are_counted() -> None:
    release = threading.Event()

    async def three_at_once() -> None:
        queue = QueryQueue(max_waiting=3)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(queue.infer, release.wait)
            with anyio.fail_after(30):
                while queue.waiting != {"decode": 0, "encode": 2}:
                    await anyio.sleep(0.01)
            release.set()
        assert queue.waiting == {"decode": 0, "encode": 0}

    anyio.run(three_at_once)
