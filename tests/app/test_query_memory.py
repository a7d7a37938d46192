"""The memory of queries: seconds of audio are counted and limited, and what is freed goes back to the system."""

import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.memory import release_free_memory
from app.query_queue import QueryQueue, QueueFull
from tests.app.serving import HaltedPair, enrolled, problem, running, until
from tests.app.sounds import audio, mixture, tone
from tests.encoders import random_pair_of

LIMIT_SECONDS = 5.0


def ask(client: httpx.Client, seconds: float, **fields: str) -> httpx.Response:
    return client.post("/v1/queries", files={"file": ("a.wav", mixture(seconds))}, data=fields)


def test_audio_in_flight_is_limited_but_a_query_alone_is_admitted(tmp_path: Path) -> None:
    halted = random_pair_of(HaltedPair)
    with running(tmp_path, halted, max_audio_seconds=LIMIT_SECONDS) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        answers: list[httpx.Response] = []
        threads = [
            threading.Thread(target=lambda: answers.append(ask(client, seconds=2 * LIMIT_SECONDS))),
            threading.Thread(
                target=lambda: answers.append(ask(client, 9.0, start_seconds="1", end_seconds="2"))
            ),
        ]
        threads[0].start()
        until(lambda: "showme_query_audio_seconds 10.0" in client.get("/metrics").text)
        refused = ask(client, seconds=1.0)
        body = problem(refused, 503, "busy")
        assert (body["value"], body["limit"]) == (11.0, LIMIT_SECONDS)
        assert int(refused.headers["retry-after"]) >= 1
        batch = client.post("/v1/queries/batch", files={"files": ("a.wav", mixture(1.0))})
        assert batch.json()["results"][0]["problem"]["status"] == 503
        halted.release.set()
        threads[0].join()
        halted.release.clear()
        threads[1].start()  # of a long file a short range
        until(lambda: "showme_query_audio_seconds 1.0" in client.get("/metrics").text)
        halted.release.set()
        assert ask(client, seconds=4.0).status_code == 200  # beside it: at the limit, not above
        threads[1].join()
        assert [answer.status_code for answer in answers] == [200, 200]
        assert "showme_query_audio_seconds 0.0" in client.get("/metrics").text
        assert list((tmp_path / "tmp").iterdir()) == []


def test_audio_that_turns_out_longer_is_counted_and_may_be_refused() -> None:
    queue = QueryQueue(max_waiting=9, max_audio_seconds=LIMIT_SECONDS)
    with queue.hold_audio() as first, queue.hold_audio() as second:
        first.set_to(3.0)
        second.set_to(1.0)
        second.grow_to(0.5)
        assert queue.audio_seconds == 4.0
        second.grow_to(2.0)
        with pytest.raises(QueueFull) as refused:
            second.grow_to(2.5)
        assert (refused.value.value, refused.value.limit) == (5.5, LIMIT_SECONDS)
        assert (second.seconds, queue.audio_seconds) == (2.0, 5.0)
        second.set_to(1.0)  # fewer are never refused
        first.grow_to(4.0)
    assert queue.audio_seconds == 0
    with queue.hold_audio() as alone:
        alone.grow_to(100 * LIMIT_SECONDS)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="/proc and malloc_trim are Linux's")
def test_freed_memory_goes_back_to_the_system() -> None:
    blocks = [
        np.ones(16_000, np.float32) for _ in range(3000)
    ]  # too small for pages of their own: 192 MB in all
    del blocks[:-1]  # the last one keeps what is below it
    before = resident_bytes()
    release_free_memory()
    assert resident_bytes() < before - 100_000_000
