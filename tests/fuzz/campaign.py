"""Runs hostile inputs through the decode workers, and a share of them through a real service, and counts what becomes of them.

Input `number` of a seed is the same bytes in every run, so that one that is told can be looked at alone.
"""

import gc
import math
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import httpx
import numpy as np

from app.archive import unpack
from app.memory import release_free_memory
from index.decoding.connection import WorkerConnection
from index.decoding.limits import DecodeLimits
from index.decoding.workers import DecodeWorkers
from index.sources.folder import AUDIO_SUFFIXES
from models.errors import DecodingStopped, ShowMeError
from tests.app.serving import enrolled, finished_job, running
from tests.encoders import random_pair
from tests.fuzz.corpus import AUDIO, FORMATS, PLAYLISTS, SAMPLE, seeds_of
from tests.fuzz.mutations import mutated, with_checksums
from tests.models.audio_files import RATE, file_of, sine

THREADS = 2
HTTP_EVERY = 200  # one input of so many goes to the service
FILES_PER_WORKER = 200
LIMITS = DecodeLimits(memory_bytes=1024**3, cpu_seconds=10, wall_seconds=120)
SAMPLE_RATE, CLIP_SAMPLES = 16_000, 4_000
OGG = ("ogg", "opus", "sf3")
MAX_NAMED = 20
WARM_SHARE = 0.25  # of the inputs, after which memory may not grow any more


@dataclass
class FuzzReport:
    """The numbers of a run; `lost` must be 0."""

    seed: int
    tries: int = 0
    accepted: Counter[str] = field(default_factory=Counter)  # by format
    refused: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(
        default_factory=Counter
    )  # errors that a worker met and survived, by kind
    killed: Counter[str] = field(default_factory=Counter)  # workers, by reason
    over_http: Counter[int] = field(default_factory=Counter)  # answers by status
    faults: list[str] = field(default_factory=list)  # of the service: what was not answered by a clear error
    told: list[str] = field(default_factory=list)  # inputs that killed a worker or were not expected
    grown_bytes: int = 0
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        return len(self.faults)

    @property
    def survived(self) -> int:
        return self.tries - self.lost


def input_of(seed: int, number: int, formats: Sequence[str]) -> tuple[str, bytes]:
    """Return format and bytes of an input; some are playlists, or files of another format under this one's name."""
    rng = np.random.default_rng((seed, number))
    kind = formats[int(rng.integers(len(formats)))]
    others = _all_seeds()
    if rng.random() < 0.02:
        return kind, mutated(rng, others[int(rng.integers(len(others)))], others)
    seeds = seeds_of(kind)
    content = mutated(rng, seeds[int(rng.integers(len(seeds)))], others)
    return kind, with_checksums(content) if kind in OGG and rng.random() < 0.7 else content


@cache
def _all_seeds() -> list[bytes]:
    return [*PLAYLISTS, *(seed for kind in FORMATS for seed in seeds_of(kind))]


def run(
    inputs: int,
    *,
    minutes: float = math.inf,
    seed: int = 0,
    formats: Sequence[str] = FORMATS,
    first: int = 0,
    http_every: int = HTTP_EVERY,
    progress: Callable[[int], None] = lambda done: None,
) -> FuzzReport:
    """Decode the inputs `first` … `first + inputs - 1` of a seed, or as many as there is time for."""
    report, started, lock = FuzzReport(seed), time.monotonic(), threading.Lock()
    numbers, warm_bytes, end = count(first), 0, started + 60 * minutes
    with tempfile.TemporaryDirectory(prefix="showme-fuzz-") as name, ExitStack() as stack:
        folder = Path(name)
        workers = DecodeWorkers(LIMITS, THREADS)
        stack.callback(workers.close)
        client = None
        if http_every <= inputs:
            client = stack.enter_context(running(folder / "data", random_pair(), decode_cpu_seconds=10))
            client.post("/v1/libraries", json={"name": "Fuzz"})
            enrolled(client, "Fuzz", ("Tone.wav", file_of(sine(1.0, RATE), RATE).getvalue()))

        def work(place: Path) -> None:
            nonlocal warm_bytes
            place.mkdir()
            with _Decoder(workers, place).open() as decoder:
                while (number := next(numbers)) < first + inputs and time.monotonic() < end:
                    kind, content = input_of(seed, number, formats)
                    over_http = client is not None and number % http_every == 0
                    _try(report, lock, number, kind, content, decoder, client if over_http else None)
                    if report.tries == int(WARM_SHARE * inputs):
                        warm_bytes = _resident_bytes()
                    progress(report.tries)

        threads = [threading.Thread(target=work, args=(folder / f"t{n}",)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if client and client.get("/healthz").status_code != 200:
            report.faults.append("the service is not alive at the end")
        report.killed.update(workers.stopped)
        report.grown_bytes = _resident_bytes() - warm_bytes if warm_bytes else 0
    report.seconds = time.monotonic() - started
    return report


class _Decoder:
    """Decodes an input as the service does, with a worker for sources that is used for many of them."""

    def __init__(self, workers: DecodeWorkers, place: Path) -> None:
        self._workers = workers
        self._place = place
        self._source_worker: WorkerConnection | None = None
        self._uses = 0

    @contextmanager
    def open(self) -> Iterator["_Decoder"]:
        (self._place / SAMPLE).write_bytes(file_of(sine(0.3, RATE), RATE).getvalue())
        try:
            yield self
        finally:
            self._end_source_worker()

    def decode(self, kind: str, content: bytes) -> None:
        """Raises ShowMeError for what is refused."""
        path = self._place / f"input.{kind}"
        path.write_bytes(content)
        if kind in AUDIO:
            self._workers.check(path, path.name)
            self._workers.decode(path, sample_rate=SAMPLE_RATE, max_seconds=60.0, name=path.name)
        elif kind == "zip":
            with tempfile.TemporaryDirectory(dir=self._place) as target:
                unpack(
                    path,
                    Path(target),
                    self._workers,
                    suffixes=AUDIO_SUFFIXES,
                    max_entries=100,
                    max_bytes=1_000_000,
                )
        else:
            self._play(path)

    def _play(self, path: Path) -> None:
        worker = self._source_worker
        if worker is None or not worker.is_open or self._uses >= FILES_PER_WORKER:
            self._end_source_worker()
            worker = self._source_worker = self._workers.source_worker(self._place, LIMITS.memory_bytes)
            self._uses = 0
        self._uses += 1
        answer = worker.request({"do": "open", "path": str(path), "as": "any"}, path.name)
        for place in range(min(2, len(answer["instruments"]))):
            wanted = {"sample_rate": SAMPLE_RATE, "clip_samples": CLIP_SAMPLES, "place": place}
            played = worker.request({"do": "clips", **wanted}, path.name)
            with worker.working(path.name) as channel:
                channel.receive_array(played["shape"])

    def _end_source_worker(self) -> None:
        if self._source_worker:
            self._workers.release(self._source_worker)
            self._source_worker = None


def _try(
    report: FuzzReport,
    lock: threading.Lock,
    number: int,
    kind: str,
    content: bytes,
    decoder: _Decoder,
    client: httpx.Client | None,
) -> None:
    told, fault, status = "", "", None
    outcome = report.accepted
    try:
        decoder.decode(kind, content)
    except DecodingStopped as error:
        outcome, told = report.refused, error.message
        if "does not expect" in error.message:
            with lock:
                report.unexpected[f"{kind}: {error.value}"] += 1
    except ShowMeError as error:
        outcome = report.refused
        fault = "" if error.message else "an error without words"
    except Exception as error:
        outcome, fault = report.refused, f"{type(error).__name__}: {error}"
    if client:
        status, fault = _over_http(client, kind, content, fault)
    with lock:
        report.tries += 1
        outcome[kind] += 1
        if status is not None:
            report.over_http[status] += 1
        if told and len(report.told) < MAX_NAMED:
            report.told.append(f"input {number} ({kind}): {told}")
        if fault:
            report.faults.append(f"input {number} ({kind}): {fault}")


def _over_http(client: httpx.Client, kind: str, content: bytes, fault: str) -> tuple[int, str]:
    """Send the input as a query or an upload, wait for its job, and return the status and what is wrong with the answer."""
    try:
        if kind in AUDIO:
            answer = client.post("/v1/queries", files={"file": (f"a.{kind}", content)})
        else:
            sent = [("files", (f"a.{kind}", content))]
            answer = client.post("/v1/libraries/Fuzz/instruments", files=sent)
            if answer.status_code == 202:
                finished_job(client, answer.json())
    except (httpx.HTTPError, AssertionError) as error:
        return 0, f"the service gave no answer: {type(error).__name__}"
    if answer.status_code >= 500:
        return answer.status_code, f"the service answered {answer.status_code}: {answer.text[:200]}"
    return answer.status_code, fault


def _resident_bytes() -> int:
    """Return this process's memory without what is free; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    gc.collect()
    release_free_memory()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def by_format(report: FuzzReport) -> dict[str, tuple[int, int]]:
    """Return how many inputs of each format were accepted and refused."""
    rows: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for kind in FORMATS:
        if report.accepted[kind] or report.refused[kind]:
            rows[kind] = (report.accepted[kind], report.refused[kind])
    return rows
