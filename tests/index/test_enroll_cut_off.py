"""Enrollment is all or nothing, even if it is cancelled, killed or fails at any point."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.vector_store import VectorStore
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryNotFound
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, delete_for_good, open_index, state_of
from tests.index.fake_source import FakeSource


class Killed(BaseException):
    """A simulated kill: nothing in the code catches it."""


def cut_at(step: int, act: Callable[[], object]) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, name: str) -> None:
        if done == step:
            act()

    return progress


@pytest.mark.parametrize("step", [0, 1, 3])
def test_cancelling_leaves_nothing(
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


@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_kill_while_rendering_leaves_nothing(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, step: int
) -> None:
    def killed() -> None:
        raise Killed

    before = state_of(enrolled)
    with pytest.raises(Killed):
        enroll(enrolled, pair, LIBRARY, few, progress=cut_at(step, killed))
    assert state_of(enrolled) == before


def test_a_kill_while_committing_leaves_nothing(
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


def test_readers_see_the_old_library_until_the_commit(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    sizes: list[int] = []
    query = np.eye(pair.embedding_dim, dtype=np.float32)[:1]

    def look(*_: object) -> None:
        sizes.append(len(enrolled.searchable(LIBRARY).search(query, 99)[0]))

    enroll(enrolled, pair, LIBRARY, few, progress=look)
    look()
    assert sizes == [7, 7, 7, 7, 7, 10]  # the start, three instruments, the map, and the end


def test_a_failing_preview_writer_stops_the_enrollment(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[None]:
        raise OSError(28, "No space left on device")

    before = state_of(enrolled)
    monkeypatch.setattr("index.enroll.write_mp3", full)
    with pytest.raises(OSError, match="No space left"):
        enroll(enrolled, pair, LIBRARY, few)
    assert state_of(enrolled) == before
