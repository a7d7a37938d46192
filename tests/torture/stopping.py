"""SIGTERM: the service answers what it has begun and exits within its limit, or at once with the second signal.

In turn, a query that is nearly done, work that would take a minute, and a second signal.
"""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from os import kill
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.stopping import STOP_SECONDS
from models.encoder_pair import EncoderPair, Floats
from tests.app.sounds import TONES, audio, mixture, tone
from tests.encoders import random_pair, random_pair_of
from tests.torture.inspection import compared, inspect
from tests.torture.outcome import Options, Outcome
from tests.torture.service_process import ServiceProcess

TRIES, SHORT_TRIES = 30, 3
AT_ONCE_SECONDS, SLACK_SECONDS = 1.0, 3.0  # the slack is for a machine that has much else to do
SHORT_SECONDS, LONG_SECONDS = 1.0, 60.0
SHORT_LIMIT_SECONDS = 5.0  # in place of STOP_SECONDS, among the tests


class SlowPair(EncoderPair):
    """Takes its time to encode mixtures, and to embed once it is `slow`."""

    seconds = 0.0
    is_slow = threading.Event()

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        time.sleep(self.seconds)
        return super().encode(windows)

    def embed(self, clips: Floats) -> Floats:
        if self.is_slow.is_set():
            time.sleep(self.seconds)
        return super().embed(clips)


def attack(options: Options) -> Outcome:
    outcome, rng = Outcome("SIGTERM"), options.generator()
    took: dict[str, list[float]] = defaultdict(list)
    pair, limit = random_pair(), SHORT_LIMIT_SECONDS if options.is_short else STOP_SECONDS
    for number in options.numbers(TRIES, SHORT_TRIES):
        kind = list(KINDS)[number % len(KINDS)]
        folder = options.folder / f"stop-{number}"
        fill(folder, pair)
        state, _ = inspect(folder, (pair,))
        seconds, lost, faults = KINDS[kind](folder, rng, limit)
        took[kind].append(seconds)
        _, gone, strange = compared(state, [], folder, (pair,))
        outcome.count(f"{folder.name}, {kind}", lost + gone, faults + strange)
    slowest = ", ".join(f"{kind} {max(each):.1f} s" for kind, each in took.items())
    outcome.detail = f"slowest exits: {slowest}; the limit is {limit:g} s"
    return outcome


def fill(folder: Path, pair: EncoderPair) -> None:
    """Enroll the tones over HTTP."""
    service = ServiceProcess(folder, lambda: pair)
    try:
        service.wait_until_ready()
        with service.client() as http:
            http.post("/v1/libraries", json={"name": "L"})
            job = _enroll(http).json()
            while http.get(f"/v1/jobs/{job['id']}").json()["state"] != "done":
                time.sleep(0.02)
    finally:
        service.end()


def _enroll(http: httpx.Client) -> httpx.Response:
    files = [("files", (f"{name}.wav", audio(tone(hz)))) for name, hz in TONES.items()]
    return http.post("/v1/libraries/L/instruments", files=files)


def _query(http: httpx.Client) -> httpx.Response:
    return http.post("/v1/queries", files={"file": ("song.wav", mixture())})


def _signalled(
    folder: Path,
    seconds: float,
    request: Callable[[httpx.Client], httpx.Response],
    signals: int,
    wait: float,
    limit: float,
) -> tuple[float, int | None]:
    """Stop a service that takes `seconds` for a request; return how long it took to exit, and the request's status."""
    pair = random_pair_of(SlowPair)
    pair.seconds = seconds
    service = ServiceProcess(folder, lambda: pair, stop_seconds=limit)
    answers: list[int] = []

    def ask() -> None:
        try:
            with service.client() as http:
                answers.append(request(http).status_code)
        except httpx.TransportError:
            pass

    try:
        service.wait_until_ready()
        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(wait)
        for number in range(signals):
            time.sleep(0.3 * bool(number))
            begun = time.monotonic()
            kill(service.process.pid, signal.SIGTERM)
        has_ended = service.process.wait(limit + SLACK_SECONDS)
        took = time.monotonic() - begun if has_ended else np.inf
    finally:
        service.end()
    asking.join()
    return took, answers[0] if answers else None


def _drains(folder: Path, rng: np.random.Generator, limit: float) -> tuple[float, list[str], list[str]]:
    took, status = _signalled(folder, SHORT_SECONDS, _query, 1, float(rng.uniform(0.3, 0.8)), limit)
    late = [f"it exits after {took:.1f} s"] if took > limit + SLACK_SECONDS else []
    return took, [] if status == 200 else [f"the query is answered with {status}"], late


def _gives_up(folder: Path, rng: np.random.Generator, limit: float) -> tuple[float, list[str], list[str]]:
    SlowPair.is_slow.set()
    request = (_query, _enroll)[rng.integers(2)]
    took, _ = _signalled(folder, LONG_SECONDS, request, 1, float(rng.uniform(0.2, 1.0)), limit)
    return took, [], [f"it exits after {took:.1f} s"] if took > limit + SLACK_SECONDS else []


def _ends_at_once(folder: Path, rng: np.random.Generator, limit: float) -> tuple[float, list[str], list[str]]:
    SlowPair.is_slow.set()
    request = (_query, _enroll)[rng.integers(2)]
    took, _ = _signalled(folder, LONG_SECONDS, request, 2, float(rng.uniform(0.2, 1.0)), limit)
    return took, [], [f"it exits {took:.1f} s after the second signal"] if took > AT_ONCE_SECONDS else []


KINDS: dict[str, Any] = {"drained": _drains, "gave up": _gives_up, "second signal": _ends_at_once}
