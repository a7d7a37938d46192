"""The instruments that a job has enrolled: taken out together, and put back together."""

import pytest
from sqlalchemy import select, update

from index.catalog import Deletion, Job
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.libraries import utc_now
from models.encoder_pair import EncoderPair
from models.errors import InstrumentExists, InstrumentNotFound, JobConflict, JobNotFound
from tests.index.conftest import LIBRARY, names_found
from tests.index.fake_source import FakeInstrument, FakeSource

JOB = "j_000000000001"
ADDED = {"Pure (2)", "Low", "High"}  # by the job, beside a preset `Pure`


@pytest.fixture
def job(enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource) -> str:
    """A cancelled job that has enrolled the source `few`."""
    library = enrolled.libraries.get(LIBRARY).id
    with enrolled.catalog.write() as session:
        session.add(Job(id=JOB, library_id=library, state="cancelled", message="cancelled", total=9))
    report = enroll(enrolled, pair, LIBRARY, few, job_id=JOB)
    with enrolled.catalog.write() as session:
        session.execute(update(Job).values(kept=report.num_stored))
    return JOB


def row(index: InstrumentIndex) -> Job:
    with index.catalog.session() as session:
        return session.get_one(Job, JOB)


def test_all_that_a_job_has_stored_is_taken_out_and_put_back(enrolled: InstrumentIndex, job: str) -> None:
    before = names_found(enrolled)
    assert before > ADDED
    assert enrolled.job_instruments.take_out(job) == 3
    assert names_found(enrolled) == before - ADDED
    assert (row(enrolled).kept, row(enrolled).message) == (0, "cancelled; they were taken out")
    with enrolled.catalog.session() as session:
        assert len(session.scalars(select(Deletion).where(Deletion.kind == "instrument")).all()) == 3
    assert enrolled.job_instruments.take_out(job) == 0
    assert enrolled.job_instruments.put_back(job) == 3
    assert names_found(enrolled) == before
    assert (row(enrolled).kept, row(enrolled).message) == (3, "cancelled")
    assert enrolled.job_instruments.put_back(job) == 0
    assert enrolled.verify() == []


def test_what_a_person_deleted_before_stays_deleted(enrolled: InstrumentIndex, job: str) -> None:
    enrolled.instruments.delete(enrolled.instruments.find(LIBRARY, "Low").id)
    assert enrolled.job_instruments.take_out(job) == 2
    assert enrolled.job_instruments.put_back(job) == 2
    assert "Low" not in names_found(enrolled)


def test_a_running_job_is_not_emptied_and_an_interrupted_one_ends(
    enrolled: InstrumentIndex, job: str
) -> None:
    with enrolled.catalog.write() as session:
        session.execute(update(Job).values(state="running", leased_until=utc_now().replace(year=2999)))
    with pytest.raises(JobConflict, match="cancel it first"):
        enrolled.job_instruments.take_out(job)
    with enrolled.catalog.write() as session:
        session.execute(update(Job).values(leased_until=None))
    assert enrolled.job_instruments.take_out(job) == 3
    assert row(enrolled).state == "cancelled"


def test_what_cannot_be_put_back_is_an_error(enrolled: InstrumentIndex, pair: EncoderPair, job: str) -> None:
    enrolled.job_instruments.take_out(job)
    enroll(enrolled, pair, LIBRARY, FakeSource(FakeInstrument("High", 900.0)))
    with pytest.raises(InstrumentExists, match="'High'"):
        enrolled.job_instruments.put_back(job)
    enrolled.libraries.undo_seconds = 0.0
    with pytest.raises(InstrumentNotFound, match="cannot be restored"):
        enrolled.job_instruments.put_back(job)
    for change in (enrolled.job_instruments.take_out, enrolled.job_instruments.put_back):
        with pytest.raises(JobNotFound):
            change("j_nowhere")
