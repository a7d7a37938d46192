"""An enrollment that is cancelled, killed or fails keeps the batches that it has stored, whole, and nothing of another one.

The next run of its job goes on from there, and each instrument is there once.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from index.enroll import EnrollReport, enroll
from index.instrument_index import InstrumentIndex
from index.vector_store import VectorStore
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryNotFound
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, delete_for_good, open_index, state_of
from tests.index.fake_source import FakeSource

JOB = "j_000000000001"
NAMES = ["Pure (2)", "Low", "High"]  # that the source `few` gets beside a preset `Pure`


@pytest.fixture
def by_twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches hold two instruments."""
    monkeypatch.setattr("index.enrollment.batches.BATCH_INSTRUMENTS", 2)


class Killed(BaseException):
    """A simulated kill: nothing in the code catches it."""


def cut_at(step: int, act: Callable[[], object]) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, name: str) -> None:
        if done == step:
            act()

    return progress


def new_names(index: InstrumentIndex) -> list[str]:
    """The names of the instruments that were enrolled after the seven of the SoundFont."""
    return [row.name for row in index.instruments.page(LIBRARY)[0]][7:]


def go_on(index: InstrumentIndex, pair: EncoderPair, source: FakeSource) -> EnrollReport:
    """Run the job again, and check that it adds what is missing, and nothing twice."""
    before = new_names(index)
    report = enroll(index, pair, LIBRARY, source, job_id=JOB)
    assert [one.name for one in report.added] == NAMES[len(before) :]
    assert report.num_stored == 3
    assert new_names(index) == NAMES
    assert index.verify() == []
    return report


@pytest.mark.parametrize("step", [0, 1, 3])
def test_cancelling_within_the_first_batch_leaves_nothing(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, step: int
) -> None:
    before, asked = state_of(enrolled), []
    report = enroll(
        enrolled,
        pair,
        LIBRARY,
        few,
        progress=cut_at(step, lambda: asked.append(True)),
        cancelled=lambda: bool(asked),
    )
    assert report.cancelled
    assert (report.added, report.skipped) == ([], [])
    assert state_of(enrolled) == before


@pytest.mark.usefixtures("by_twos")
def test_cancelling_keeps_the_batches_that_were_stored(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    asked: list[bool] = []
    report = enroll(
        enrolled,
        pair,
        LIBRARY,
        few,
        job_id=JOB,
        progress=cut_at(3, lambda: asked.append(True)),
        cancelled=lambda: bool(asked),
    )
    assert report.cancelled
    assert ([one.name for one in report.added], report.num_stored) == (NAMES[:2], 2)
    assert new_names(enrolled) == NAMES[:2]
    assert enrolled.verify() == []
    assert len(go_on(enrolled, pair, few).added) == 1


@pytest.mark.usefixtures("by_twos")
@pytest.mark.parametrize(("step", "kept"), [(0, 0), (1, 0), (2, 0), (3, 2)])
def test_a_kill_while_rendering_keeps_whole_batches(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, step: int, kept: int
) -> None:
    """The progress of an instrument comes before its batch is stored."""

    def killed() -> None:
        raise Killed

    with pytest.raises(Killed):
        enroll(enrolled, pair, LIBRARY, few, job_id=JOB, progress=cut_at(step, killed))
    assert new_names(enrolled) == NAMES[:kept]
    assert list(enrolled.folder.tmp_dir.iterdir()) == []
    assert enrolled.verify() == []
    go_on(enrolled, pair, few)


@pytest.mark.usefixtures("by_twos")
def test_going_on_brings_nothing_back_that_was_deleted_meanwhile(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    def killed() -> None:
        raise Killed

    with pytest.raises(Killed):
        enroll(enrolled, pair, LIBRARY, few, job_id=JOB, progress=cut_at(3, killed))
    enrolled.instruments.delete(enrolled.instruments.find(LIBRARY, NAMES[0]).id)
    report = enroll(enrolled, pair, LIBRARY, few, job_id=JOB)
    assert [one.name for one in report.added] == ["High"]
    assert new_names(enrolled) == ["Low", "High"]
    again = enroll(enrolled, pair, LIBRARY, few, job_id=JOB)
    assert (again.added, again.num_stored) == ([], 3)


@pytest.mark.usefixtures("by_twos")
def test_a_batch_that_fails_is_not_stored_and_the_ones_before_are_kept(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    numbers: list[int] = []

    def storing(session: Session, num_stored: int) -> None:
        numbers.append(num_stored)
        if num_stored == 3:
            raise OSError(28, "No space left on device")

    previews = len(list(enrolled.folder.previews_dir.iterdir()))
    with pytest.raises(OSError, match="No space left"):
        enroll(enrolled, pair, LIBRARY, few, job_id=JOB, storing=storing)
    assert numbers == [2, 3]
    assert new_names(enrolled) == NAMES[:2]
    assert len(list(enrolled.folder.previews_dir.iterdir())) == previews + 2
    go_on(enrolled, pair, few)


def test_a_kill_while_committing_leaves_nothing_of_the_batch(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moving the second preview fails: the rows and the first preview are removed again."""
    before, replace = state_of(enrolled), Path.replace
    moved: list[Path] = []

    def replace_once(path: Path, target: Path) -> Path:
        if target.parent == enrolled.folder.previews_dir:
            if moved:
                raise Killed
            moved.append(target)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_once)
    with pytest.raises(Killed):
        enroll(enrolled, pair, LIBRARY, few)
    monkeypatch.undo()
    assert len(moved) == 1
    assert state_of(enrolled) == before
    assert enrolled.verify() == []


def test_a_kill_between_commit_and_vectors_is_mended_on_opening(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: VectorStore) -> None:
        raise Killed

    monkeypatch.setattr(VectorStore, "save", killed)
    with pytest.raises(Killed):
        enroll(enrolled, pair, LIBRARY, few)
    monkeypatch.undo()
    again = open_index(enrolled.folder.root, pair)
    assert again.libraries.get(LIBRARY).num_instruments == 10
    assert again.verify() == []
    query = np.eye(pair.embedding_dim, dtype=np.float32)[:1]
    assert len(again.searchable(LIBRARY).search(query, 99)[0]) == 10
    again.close()


def test_a_library_deleted_meanwhile_is_not_brought_back(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    library = enrolled.libraries.get(LIBRARY)
    previews = set(enrolled.folder.previews_dir.iterdir())
    with pytest.raises(LibraryNotFound, match="deleted meanwhile"):
        enroll(enrolled, pair, LIBRARY, few, progress=cut_at(2, lambda: enrolled.libraries.delete(LIBRARY)))
    assert enrolled.libraries.all() == []
    assert (
        set(enrolled.folder.previews_dir.iterdir()) == previews
    )  # kept until the library is restored or purged
    assert enrolled.libraries.restore(library.id) == library
    with pytest.raises(LibraryNotFound, match="deleted meanwhile"):
        enroll(enrolled, pair, LIBRARY, few, progress=cut_at(2, lambda: delete_for_good(enrolled)))
    assert list(enrolled.folder.previews_dir.iterdir()) == []


def test_a_library_filled_by_another_encoder_meanwhile_is_left_alone(
    index: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    index.libraries.create("Lib")
    other_pair = random_pair(seed=1)
    other = open_index(index.folder.root, other_pair)
    with pytest.raises(EncoderMismatch, match="showme index reembed"):
        enroll(index, pair, "Lib", few, progress=cut_at(2, lambda: enroll(other, other_pair, "Lib", few)))
    assert other.libraries.get("Lib").num_instruments == 3
    assert other.verify() == []
    other.close()


@pytest.mark.usefixtures("by_twos")
def test_readers_see_each_batch_when_it_is_stored(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    sizes: list[int] = []
    query = np.eye(pair.embedding_dim, dtype=np.float32)[:1]

    def look(*_: object) -> None:
        sizes.append(len(enrolled.searchable(LIBRARY).search(query, 99)[0]))

    enroll(enrolled, pair, LIBRARY, few, progress=look)
    assert sizes == [7, 7, 7, 9, 10]  # the start, three instruments, the map


def test_slow_instruments_are_stored_before_a_batch_is_full(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.enrollment.batches.BATCH_SECONDS", 0.0)
    numbers: list[int] = []
    enroll(enrolled, pair, LIBRARY, few, storing=lambda session, number: numbers.append(number))
    assert numbers == [1, 2, 3]


def test_a_failing_preview_writer_stops_the_enrollment(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[None]:
        raise OSError(28, "No space left on device")

    before = state_of(enrolled)
    monkeypatch.setattr("index.enrollment.batches.write_mp3", full)
    with pytest.raises(OSError, match="No space left"):
        enroll(enrolled, pair, LIBRARY, few)
    assert state_of(enrolled) == before
