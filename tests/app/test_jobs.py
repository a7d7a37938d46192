"""Jobs and their work are stored together: a kill between the two leaves no job that denies what it has done."""

import shutil
from pathlib import Path

from app.job_store import JobStore
from app.jobs import JobRunner
from app.tasks import EnrollTask
from index.catalog import Catalog
from index.instrument_index import InstrumentIndex
from index.records import library_infos
from models.encoder_pair import EncoderPair
from tests.app.serving import until
from tests.index.conftest import open_index
from tests.index.fake_source import FakeInstrument, FakeSource


def killed_after(index: InstrumentIndex, task_source: FakeSource, pair: EncoderPair, left: Path) -> str:
    """Run an enrollment, copying to `left` what a kill right after its commit leaves; return the job's id."""

    def kill() -> None:
        left.mkdir()
        for path in index.folder.root.glob("showme.db*"):
            shutil.copy(path, left)

    library = index.libraries.create("Lib").id
    runner = JobRunner(JobStore(index.catalog), max_waiting=1)
    runner.start()
    job = runner.submit(library, EnrollTask(index, pair, library, task_source, None, when_ended=kill))
    until(lambda: runner.view(job.id).finished)
    runner.stop()
    return job.id


def test_a_job_is_done_in_the_moment_that_its_instruments_are_stored(
    tmp_path: Path, pair: EncoderPair
) -> None:
    index = open_index(tmp_path / "data", pair)
    source = FakeSource(
        FakeInstrument("Pure"), FakeInstrument("Silent", None), FakeInstrument("High", 2000.0)
    )
    job_id = killed_after(index, source, pair, tmp_path / "left")
    catalog = Catalog(tmp_path / "left" / "showme.db")
    store = JobStore(catalog)
    restarted = JobRunner(store, max_waiting=1)
    restarted.start()  # marks what did not end as interrupted
    restarted.stop()
    with catalog.session() as session:
        (library,) = library_infos(session, pair.encoder_hash)
    assert library.num_instruments == 2
    after = store.get(job_id)
    assert (after.state, after.done, after.total) == ("done", 3, 3)
    assert after.message.startswith("2 added")
    assert [one.name for one in after.skipped] == ["Silent"]
    assert after == JobStore(index.catalog).get(job_id)
    catalog.close()
    index.close()
