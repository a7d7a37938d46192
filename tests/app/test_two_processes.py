"""Several processes on one data folder: services, `showme index add` and the Python API leave each other's jobs alone.

Each service and engine here has a job store of its own, as each process has.
"""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.engine import Engine
from app.job_store import INTERRUPTED, JobStore
from app.jobs import JobRunner
from app.tasks import EnrollTask
from index.catalog import Catalog
from index.instrument_index import InstrumentIndex
from index.sources.base import Floats
from models.encoder_pair import EncoderPair
from models.errors import Busy, JobConflict
from tests.app.serving import SteppedPair, finished_job, problem, running, settings_for, until
from tests.app.sounds import audio, tone
from tests.app.test_enrollment import FILES, send
from tests.app.test_updates import newer
from tests.databases import move_rows
from tests.encoders import random_pair
from tests.index.conftest import open_index
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tiny_soundfont import PATCHES, write_soundfont

LEASE_SECONDS = 10.0


class MovedClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def job_at(client: httpx.Client, job_id: str) -> dict[str, object]:
    found: dict[str, object] = client.get(f"/v1/jobs/{job_id}").json()
    return found


@pytest.mark.both_databases
def test_a_second_service_leaves_a_living_job_and_its_library_alone(
    tmp_path: Path, stepped: SteppedPair, pair: EncoderPair, database: str | None
) -> None:
    with running(tmp_path, stepped) as first:
        first.post("/v1/libraries", json={"name": "L"})
        job = send(first, "L", *FILES).json()
        assert stepped.started.wait(30)
        with running(tmp_path, pair) as second:
            assert job_at(second, job["id"])["state"] == "running"
            assert job["id"] in problem(second.delete("/v1/libraries/L"), 409, "job-conflict")["detail"]
            elsewhere = problem(second.delete(f"/v1/jobs/{job['id']}"), 409, "job-conflict")
            assert "another process" in elsewhere["detail"]
            stepped.allowed.set()
            assert finished_job(second, job)["message"] == "2 added"
            assert second.get("/v1/libraries/L").json()["num_instruments"] == 2
            assert second.delete("/v1/libraries/L").status_code == 204


def test_the_terminal_enrolls_beside_a_service(tmp_path: Path, stepped: SteppedPair) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    (samples / "a.wav").write_bytes(audio(tone(110.0)))
    settings = settings_for(tmp_path / "data")
    with Engine(settings, stepped) as engine:
        adding = threading.Thread(target=engine.enroll, args=(samples, "New"))
        adding.start()
        assert stepped.started.wait(30)
        with running(tmp_path / "data", stepped) as client:
            refused = problem(client.delete("/v1/libraries/New"), 409, "job-conflict")
            job_id = refused["detail"].split()[1]
            assert job_at(client, job_id)["state"] == "running"
            stepped.allowed.set()
            adding.join(30)
            after = job_at(client, job_id)
            assert (after["state"], after["done"], after["message"]) == ("done", 1, "1 added")
            assert client.get("/v1/libraries/New").json()["num_instruments"] == 1
            stepped.allowed.clear()
            sent = send(client, "New", *FILES).json()
            with pytest.raises(JobConflict, match="adding instruments"):  # as `showme index remove` does
                engine.index.libraries.delete("New")
            stepped.allowed.set()
            assert finished_job(client, sent)["state"] == "done"


def test_a_failed_enrollment_takes_no_library_away_from_another_process(
    index: InstrumentIndex, pair: EncoderPair
) -> None:
    used, filled, unused = (index.libraries.create(name).id for name in ("used", "filled", "unused"))
    source = FakeSource(FakeInstrument("Pure"))
    task = EnrollTask(index, pair, used, lambda: source, 1)
    task.run("j_0", lambda *state: None, lambda: False, lambda session, number: None)
    JobStore(index.catalog).create(filled, "enroll", 1)
    for library in (used, filled, unused):
        index.libraries.drop_if_unused(library)
    assert {library.name for library in index.libraries.all()} == {"used", "filled"}


@pytest.fixture
def index(tmp_path: Path, pair: EncoderPair, database: str | None) -> Iterator[InstrumentIndex]:
    opened = open_index(tmp_path / "data", pair)
    yield opened
    opened.close()


@pytest.mark.both_databases
def test_a_job_is_interrupted_when_its_lease_is_over_and_not_before(index: InstrumentIndex) -> None:
    clock, library = MovedClock(), index.libraries.create("L").id
    ended = JobStore(index.catalog, LEASE_SECONDS, clock)
    job = ended.create(library, "enroll", 3)
    runner = JobRunner(JobStore(index.catalog, LEASE_SECONDS, clock), max_waiting=1)
    runner.start()
    for _ in range(3):
        clock.advance(0.9 * LEASE_SECONDS)
        runner.beat()
        assert runner.view(job.id) == job
        assert ended.renew([job.id]) == {job.id}
    clock.advance(1.1 * LEASE_SECONDS)
    assert ended.being_filled() == {library}  # until another process goes on with it, or gives it up
    runner.beat()
    assert ended.being_filled() == set()
    assert runner.view(job.id) == replace(job, state="failed", message=f"{INTERRUPTED}; nothing was stored")
    with pytest.raises(JobConflict, match="taken over"):
        ended.save(replace(job, state="done"))
    assert ended.renew([job.id]) == set()
    runner.stop()


@pytest.mark.both_databases
def test_a_process_that_stood_still_stores_nothing(index: InstrumentIndex, pair: EncoderPair) -> None:
    clock, library = MovedClock(), index.libraries.create("L").id
    other = JobRunner(JobStore(index.catalog, LEASE_SECONDS, clock), max_waiting=1)
    other.start()

    class Asleep(FakeInstrument):
        def clips(self, sample_rate: int, clip_samples: int) -> Floats:
            clock.advance(2 * LEASE_SECONDS)
            other.beat()
            return super().clips(sample_rate, clip_samples)

    sleeper = JobRunner(JobStore(index.catalog, LEASE_SECONDS, clock), max_waiting=1)
    sleeper.start()
    job = sleeper.submit(library, EnrollTask(index, pair, library, lambda: FakeSource(Asleep("Pure")), 1))
    until(lambda: not sleeper.in_flight())
    sleeper.stop()
    other.stop()
    assert (other.view(job.id).state, other.view(job.id).message) == (
        "failed",
        f"{INTERRUPTED}; nothing was stored",
    )
    assert index.libraries.get(library).num_instruments == 0
    assert list(index.folder.previews_dir.iterdir()) == []


@pytest.mark.both_databases
def test_two_services_fill_the_default_library_once(
    tmp_path: Path, stepped: SteppedPair, pair: EncoderPair, database: str | None
) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])
    data, default = tmp_path / "data", {"default_library": str(font)}
    with running(data, stepped, **default) as first:
        assert stepped.started.wait(30)
        with running(data, pair, **default) as second:
            progress = second.get("/readyz").json()["progress"]
            assert (progress["state"], progress["total"]) == ("running", 2)
            with (
                Engine(settings_for(data, **default), pair) as engine,
                pytest.raises(Busy, match="being enrolled by job"),
            ):
                engine.fill_default()
            stepped.allowed.set()
            until(lambda: all(client.get("/readyz").status_code == 200 for client in (first, second)))
            (library,) = second.get("/v1/libraries").json()["items"]
            assert (library["name"], library["num_instruments"]) == ("Studio", 2)


def test_the_default_library_of_a_killed_service_is_filled_under_the_same_job(
    tmp_path: Path, pair: EncoderPair
) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])
    index = open_index(tmp_path / "data", pair)
    killed = JobStore(index.catalog, lease_seconds=0.0)
    job = killed.create(index.libraries.create("Studio").id, "enroll", 2, source_path=str(font))
    index.close()
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        after = job_at(client, job.id)
        assert (after["state"], after["message"]) == ("done", "2 added")


@pytest.mark.both_databases
def test_two_services_update_a_library_once(tmp_path: Path, tones_dir: Path, database: str | None) -> None:
    data = Path(shutil.copytree(tones_dir, tmp_path / "data"))
    move_rows(data)
    gated = newer()
    with running(data, gated) as first, running(data, random_pair(seed=1)) as second:
        (ours,), (theirs,) = (
            {client.get("/v1/libraries/One").json()["update_job"]} for client in (first, second)
        )
        assert ours == theirs is not None
        assert second.post("/v1/libraries/One/reembed").json()["id"] == ours
        problem(second.post("/v1/queries", files={"file": FILES[0]}), 503, "busy")
        gated.permits.release(4)
        assert finished_job(second, {"id": ours})["message"] == "4 updated"
        until(lambda: second.get("/v1/libraries/One").json()["state"] == "ready")
    assert gated.embedded == 4


def test_a_stopped_service_leaves_its_update_to_another_one(tmp_path: Path, tones_dir: Path) -> None:
    data = Path(shutil.copytree(tones_dir, tmp_path / "data"))
    gated = newer(permits=1)
    catalog = Catalog(data / "showme.db")
    with running(data, gated) as first:
        job = first.get("/v1/libraries/One").json()["update_job"]
        until(lambda: job_at(first, job)["done"] == 1)
        threading.Timer(0.3, gated.permits.release).start()
    other = JobStore(catalog)  # it need not wait for the end of the lease
    assert [view.id for view in other.take_over()] == [job]
    catalog.close()
