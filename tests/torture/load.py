"""64 clients that ask without a pause, with the shipped encoders, while readers look at lists, previews and `/healthz`.

Only back-pressure may be answered beside results: 503 with Retry-After, which the clients obey. Memory must stay flat, the
slowest hundredth of the queries within four times the median, and readers get answers within 100 ms.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from models.encoder_pair import EncoderPair
from tests.app.sounds import TONES, audio, mixture, tone
from tests.torture.forked import Forked, Say
from tests.torture.outcome import Options, Outcome
from tests.torture.service_process import ServiceProcess

CLIENTS, READERS = 64, 2
MINUTES, SHORT_MINUTES = 10.0, 0.05
MIXTURE_SECONDS = 10.0
MAX_RATIO = 4.0  # of the slowest hundredth to the median
READER_MS = 100.0
READER_PAUSE_SECONDS = 0.05
WARM_SHARE = 0.2  # of the time, after which memory must be flat
MAX_GROWTH_MIB = 64.0
SAMPLE_SECONDS = 0.5


@dataclass
class _Measured:
    """Milliseconds of answered queries and of readings, statuses, and faults."""

    query_ms: list[float] = field(default_factory=list)
    reader_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def attack(options: Options) -> Outcome:
    """A request is a try; what misses a limit counts as one that was not survived."""
    outcome, minutes = Outcome("load"), SHORT_MINUTES if options.is_short else min(MINUTES, options.minutes)
    service = ServiceProcess(options.folder / "data", lambda: EncoderPair.load(None, "cpu"))
    try:
        service.wait_until_ready()
        _enroll_tones(service)
        measured, memory = _measure(service, 60 * minutes)
    finally:
        service.end()
    outcome.tries = sum(measured.statuses.values())
    if not measured.query_ms or not measured.reader_ms:
        outcome.faults, outcome.inconsistent = [*measured.faults, "nothing was answered"], 1
        return outcome
    warm = memory[int(WARM_SHARE * len(memory)) :]
    growth = max(warm) - warm[0]
    p50, p99 = np.percentile(measured.query_ms, (50, 99))
    reader50, reader99, slowest = np.percentile(measured.reader_ms, (50, 99, 100))
    missed = {
        f"p99 is {p99 / p50:.1f} × p50, not {MAX_RATIO:g}": p99 > MAX_RATIO * p50,
        f"memory grows by {growth:.0f} MiB, not {MAX_GROWTH_MIB:g}": growth > MAX_GROWTH_MIB,
        f"the slowest hundredth of the readings takes {reader99:.0f} ms, not {READER_MS:g}": reader99
        > READER_MS,
    }
    outcome.faults = list(measured.faults)
    if not options.is_short:  # figures of seconds among other tests say nothing
        outcome.faults += [fault for fault, is_true in missed.items() if is_true]
    outcome.inconsistent = len(outcome.faults)
    statuses = ", ".join(f"{status} {count:,}" for status, count in sorted(measured.statuses.items()))
    outcome.detail = (
        f"{CLIENTS} clients, {minutes:g} minutes: {statuses}; queries p50 {p50:.0f} ms, p99 {p99:.0f} ms "
        f"({p99 / p50:.1f} ×); readers p50 {reader50:.0f} ms, p99 {reader99:.0f} ms, slowest {slowest:.0f} ms; "
        f"memory {warm[0]:.0f} to {max(warm):.0f} MiB"
    )
    return outcome


def _enroll_tones(service: ServiceProcess) -> None:
    with service.client() as http:
        http.post("/v1/libraries", json={"name": "L"})
        files = [("files", (f"{name}.wav", audio(tone(hz)))) for name, hz in TONES.items()]
        job = http.post("/v1/libraries/L/instruments", files=files).json()
        while http.get(f"/v1/jobs/{job['id']}").json()["state"] != "done":
            time.sleep(0.05)


def _measure(service: ServiceProcess, seconds: float) -> tuple[_Measured, list[float]]:
    """Ask and read for some time, in two processes that do not disturb each other; return MiB of the service too."""
    askers = Forked(lambda say: _in_threads(say, _ask, CLIENTS, service.url, seconds))
    readers = Forked(lambda say: _in_threads(say, _read, READERS, service.url, seconds))
    memory, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        memory.append(_resident_mib(service.process.pid))
        time.sleep(SAMPLE_SECONDS)
    measured = _Measured()
    for child in (askers, readers):
        message = child.hear()
        assert message is not None, "a process of clients has ended without a word"
        if "error" in message:
            measured.faults.append(message["error"])
        else:
            measured.query_ms += message["query_ms"]
            measured.reader_ms += message["reader_ms"]
            measured.statuses.update(message["statuses"])
            measured.faults += message["faults"]
        child.close()
    return measured, memory


def _in_threads(say: Say, work: Any, number: int, url: str, seconds: float) -> None:
    measured, end = _Measured(), time.monotonic() + seconds
    threads = [threading.Thread(target=work, args=(url, end, measured)) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(vars(measured))


def _until(end: float) -> Iterator[None]:
    """Go on until the moment `end`, but at least once: a busy machine may start a client after it."""
    yield
    while time.monotonic() < end:
        yield


def _ask(url: str, end: float, measured: _Measured) -> None:
    song = mixture(MIXTURE_SECONDS)
    with httpx.Client(base_url=url, timeout=120.0) as http:
        for _ in _until(end):
            begun = time.perf_counter()
            try:
                answer = http.post("/v1/queries", files={"file": ("song.wav", song)})
            except httpx.TransportError as error:
                measured.faults.append(f"a query: {type(error).__name__}: {error}")
                continue
            measured.statuses[f"query {answer.status_code}"] += 1
            if answer.status_code == 200:
                measured.query_ms.append(1000 * (time.perf_counter() - begun))
            elif answer.status_code == 503 and "retry-after" in answer.headers:
                time.sleep(min(float(answer.headers["retry-after"]), max(0.0, end - time.monotonic())))
            else:
                measured.faults.append(f"a query is answered with {answer.status_code}: {answer.text[:200]}")


def _read(url: str, end: float, measured: _Measured) -> None:
    with httpx.Client(base_url=url, timeout=120.0) as http:
        (first, *_) = http.get("/v1/libraries/L/instruments").json()["items"]
        paths = ("/healthz", first["preview_url"], "/v1/libraries", "/v1/libraries/L/instruments")
        for _ in _until(end):
            for path in paths:
                begun = time.perf_counter()
                answer = http.get(path)
                measured.reader_ms.append(1000 * (time.perf_counter() - begun))
                measured.statuses[f"reading {answer.status_code}"] += 1
                if answer.status_code != 200:
                    measured.faults.append(f"{path} is answered with {answer.status_code}")
                time.sleep(READER_PAUSE_SECONDS)


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not report VmRSS")
