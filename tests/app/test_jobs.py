"""Jobs and their work are stored together: a job that was killed knows what it has done, and goes on from there."""

import shutil
from pathlib import Path

from app.job_store import JobStore, JobView
from app.jobs import JobRunner
from app.tasks import EnrollTask
from index.catalog import Catalog
from index.instrument_index import InstrumentIndex
from models.encoder_pair import EncoderPair
from tests.app.serving import until
from tests.index.conftest import open_index
from tests.index.fake_source import FakeInstrument, FakeSource

SOURCE = FakeSource(FakeInstrument("Pure"), FakeInstrument("Silent", None), FakeInstrument("High", 2000.0))


def task(index: InstrumentIndex, pair: EncoderPair, library: str, **options: object) -> EnrollTask:
    return EnrollTask(index, pair, library, lambda: SOURCE, len(SOURCE), source_path="fakes", **options)  # type: ignore[arg-type]


def copy(index: InstrumentIndex, to: Path) -> None:
    """Copy what a kill at this moment would leave of the database."""
    to.mkdir()
    for path in index.folder.root.glob("showme.db*"):
        shutil.copy(path, to)


def done_after(folder: Path, job_id: str, pair: EncoderPair) -> JobView:
    """Start again with what a kill has left, and return the job after its end."""
    index = open_index(folder, pair)
    runner = JobRunner(JobStore(index.catalog, lease_seconds=0.2), max_waiting=1)
    runner.start(lambda view: task(index, pair, str(view.library_id)))
    until(lambda: runner.view(job_id).finished)
    runner.stop()
    assert index.libraries.get("Lib").num_instruments == 2
    index.close()
    return runner.view(job_id)


def test_a_job_goes_on_from_what_its_last_batch_has_stored(tmp_path: Path, pair: EncoderPair) -> None:
    """A kill right after the commit of the only batch, while the map is drawn, and one when the end is on record."""
    index = open_index(tmp_path / "data", pair)
    library = index.libraries.create("Lib").id
    runner = JobRunner(JobStore(index.catalog, lease_seconds=0.2), max_waiting=1)
    places: list[Path] = []

    def look(view: JobView) -> None:
        if view.message == "drawing the map":
            copy(index, tmp_path / "stored")
            with Catalog(tmp_path / "stored" / "showme.db").session() as session:
                (kept,) = session.connection().exec_driver_sql("SELECT kept FROM job").one()
            assert kept == 2

    def left(has_ended: bool) -> None:
        assert has_ended
        copy(index, tmp_path / "ended")
        places.append(tmp_path / "ended")

    runner = JobRunner(JobStore(index.catalog, lease_seconds=0.2), max_waiting=1, listeners=[look])
    runner.start()
    job = runner.submit(library, task(index, pair, library, when_left=left))
    until(lambda: not runner.in_flight())
    runner.stop()
    index.close()
    for name in ("stored", "ended"):
        after = done_after(tmp_path / name, job.id, pair)
        assert (after.state, after.done, after.total, after.kept) == ("done", 3, 3, 2)
        assert after.message.startswith("2 added")
        assert [one.name for one in after.skipped] == ["Silent"]


def test_the_source_of_a_job_whose_end_is_not_on_record_is_kept(tmp_path: Path, pair: EncoderPair) -> None:
    index = open_index(tmp_path / "data", pair)
    library = index.libraries.create("Lib").id
    store, other = JobStore(index.catalog), JobStore(index.catalog)
    runner = JobRunner(store, max_waiting=1)
    told: list[bool] = []
    runner.start()

    def take_away() -> FakeSource:
        store.owner, other.owner = other.owner, store.owner
        return SOURCE

    lost = EnrollTask(index, pair, library, take_away, 3, source_path="fakes", when_left=told.append)
    job = runner.submit(library, lost)
    until(lambda: not runner.in_flight())
    runner.stop()
    assert told == [False]
    assert other.get(job.id).state in ("queued", "running")
    assert index.libraries.get("Lib").num_instruments == 0
    index.close()
