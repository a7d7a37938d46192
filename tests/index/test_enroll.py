"""Enrollment is all or nothing: what it adds, what it skips and says, and what is left when it is cut off anywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from index.catalog import Clip, Instrument, from_bytes
from index.enroll import _free_name, enroll
from index.instrument_index import InstrumentIndex
from index.sources import FolderSource, SoundFontSource
from index.sources.base import Floats
from index.vectors import VectorStore
from models.audio import decode
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryNotFound, SourceError
from tests.index.conftest import LIBRARY, open_index, write_tone
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tiny_soundfont import PATCHES


class Killed(BaseException):
    """Stands for a kill: nothing in the code catches it."""


@pytest.fixture
def few() -> FakeSource:
    return FakeSource(
        FakeInstrument("Pure", 300), FakeInstrument("Low", 100, family="bass"), FakeInstrument("High", 2000)
    )


def state_of(index: InstrumentIndex) -> tuple[object, ...]:
    """Everything that an enrollment changes."""
    with index.catalog.session() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (Instrument, Clip)]
    files = sorted(str(path.relative_to(index.data_dir)) for path in index.data_dir.glob("[!s]*/**/*"))
    return *counts, files, index.libraries()


def test_all_presets_are_enrolled(enrolled: InstrumentIndex) -> None:
    rows, _ = enrolled.instruments(LIBRARY)
    assert [row.name for row in rows] == [patch.name for patch in PATCHES]
    assert enrolled.library(LIBRARY).num_instruments == 7
    assert enrolled.verify() == []
    for row in rows:
        preview = decode(enrolled.preview_path(row.id), sample_rate=44_100)
        assert 3.0 <= preview.duration_seconds <= 4.6


def test_embeddings_are_the_normalised_mean_of_the_clips(
    enrolled: InstrumentIndex, pair: EncoderPair, font: Path
) -> None:
    clips_of = {one.name: one.clips(pair.sample_rate, pair.clip_samples) for one in SoundFontSource(font)}
    with enrolled.catalog.session() as session:
        for row in session.scalars(select(Instrument)):
            expected = pair.embed(clips_of[row.name])
            rows = session.scalars(
                select(Clip).where(Clip.vector_id == row.vector_id).order_by(Clip.position)
            )
            stored = np.stack([from_bytes(clip.embedding) for clip in rows])
            assert np.allclose(stored, expected, atol=1e-6)
            mean = expected.mean(axis=0)
            assert np.allclose(from_bytes(row.embedding), mean / np.linalg.norm(mean), atol=1e-6)


def test_an_enrolled_clip_finds_itself_first(
    index: InstrumentIndex, pair: EncoderPair, tmp_path: Path, rng: np.random.Generator
) -> None:
    for hz in rng.uniform(100, 3000, size=12):
        write_tone(tmp_path / "tones" / f"{hz:.0f} hz.wav", float(hz), seconds=0.5)
    source = FolderSource(tmp_path / "tones")
    report = enroll(index, pair, index.create_library("Tones").id, source)
    assert len(report.added) == 12
    for instrument in source:
        queries = pair.embed(instrument.clips(pair.sample_rate, pair.clip_samples))
        first = index.candidates("Tones", queries, 1)[0][0]
        assert first.name == instrument.name
        assert first.similarity == pytest.approx(1.0, abs=1e-5)


def test_progress_counts_every_instrument(index: InstrumentIndex, pair: EncoderPair, few: FakeSource) -> None:
    seen: list[tuple[int, int, str]] = []
    library = index.create_library("Lib")
    report = enroll(index, pair, library.name, few, progress=lambda *step: seen.append(step))
    assert seen == [(0, 3, ""), (1, 3, "Pure"), (2, 3, "Low"), (3, 3, "High")]
    assert report.added == index.instruments(library.id)[0]
    assert report.skipped == []
    assert not report.cancelled


def test_names_stay_unique_in_a_library(index: InstrumentIndex, pair: EncoderPair, few: FakeSource) -> None:
    library = index.create_library("Lib")
    for _ in range(3):
        enroll(index, pair, library.id, few)
    names = [row.name for row in index.instruments(library.id)[0]]
    assert names[::3] == ["Pure", "Pure (2)", "Pure (3)"]
    assert len(set(names)) == 9


@given(st.lists(st.sampled_from(["a", "a ", " a\n", "a (2)", "b", "", "   "]), max_size=12))
def test_any_names_become_unique(names: list[str]) -> None:
    taken: set[str] = set()
    free = [_free_name(name, taken) for name in names]
    assert len(set(free)) == len(names)
    assert all(name.strip() for name in free)


def test_what_cannot_be_used_is_skipped_with_its_reason(
    index: InstrumentIndex, pair: EncoderPair, tmp_path: Path
) -> None:
    write_tone(tmp_path / "lib" / "good.wav", 300)
    write_tone(tmp_path / "lib" / "partly" / "tone.wav", 400)
    (tmp_path / "lib" / "partly" / "broken.wav").write_bytes(b"this is no wave file at all")
    (tmp_path / "lib" / "broken.wav").write_bytes(b"this is no wave file at all")
    report = enroll(index, pair, index.create_library("Lib").id, FolderSource(tmp_path / "lib"))
    assert sorted(one.name for one in report.added) == ["good", "partly"]
    reasons = dict(report.skipped)
    assert {"broken", "partly/broken.wav"} <= set(reasons)
    assert "not an audio file" in reasons["partly/broken.wav"]
    assert index.verify() == []


def test_a_silent_instrument_is_skipped_and_one_may_do_without_a_preview(
    index: InstrumentIndex, pair: EncoderPair
) -> None:
    source = FakeSource(FakeInstrument("mute", None), FakeInstrument("unplayable", has_preview=False))
    report = enroll(index, pair, index.create_library("Lib").id, source)
    assert [one.name for one in report.added] == ["unplayable"]
    assert report.skipped == [("mute", "mute is silent"), ("unplayable, its preview", "nothing to play")]


def test_embeddings_that_are_no_numbers_are_not_stored(index: InstrumentIndex, pair: EncoderPair) -> None:
    class NanPair(EncoderPair):
        def __init__(self) -> None:
            vars(self).update(vars(pair))

        def embed(self, clips: Floats) -> Floats:
            return np.full((len(clips), self.embedding_dim), np.nan, np.float32)

    library = index.create_library("Lib")
    with pytest.raises(SourceError, match="the encoder makes nothing of dumb"):
        enroll(index, NanPair(), library.id, FakeSource(FakeInstrument("dumb")))
    assert index.library(library.id).num_instruments == 0


def test_a_source_of_which_nothing_can_be_used_is_an_error(index: InstrumentIndex, pair: EncoderPair) -> None:
    library = index.create_library("Lib")
    before = state_of(index)
    with pytest.raises(SourceError, match=r"no instrument of fakes could be enrolled \(mute: mute is silent"):
        enroll(index, pair, library.id, FakeSource(FakeInstrument("mute", None)))
    assert state_of(index) == before


def test_an_unknown_library_and_a_foreign_encoder_are_refused_before_any_work(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    with pytest.raises(LibraryNotFound):
        enroll(enrolled, pair, "nowhere", few, progress=never)
    other_pair = EncoderPair.random(seed=1)
    with pytest.raises(EncoderMismatch):
        enroll(enrolled, other_pair, LIBRARY, few, progress=never)
    other = open_index(enrolled.data_dir, other_pair)
    with pytest.raises(EncoderMismatch, match="showme index add"):
        enroll(other, other_pair, LIBRARY, few, progress=never)
    other.close()


def test_an_empty_library_takes_the_encoder_of_its_first_instruments(
    index: InstrumentIndex, few: FakeSource
) -> None:
    index.create_library("Lib")
    other_pair = EncoderPair.random(seed=1)
    other = open_index(index.data_dir, other_pair)
    enroll(other, other_pair, "Lib", few)
    assert other.library("Lib").encoder_hash == other_pair.encoder_hash
    assert other.verify() == []
    other.close()


# Cut off anywhere


def cut_at(step: int, act: Callable[[], None]) -> Callable[[int, int, str], None]:
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
    """The second preview cannot be moved: rows and the first preview go again."""
    before, replace = state_of(enrolled), Path.replace
    moved: list[Path] = []

    def replace_once(path: Path, target: Path) -> Path:
        if target.parent == enrolled.previews_dir:
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
    again = open_index(enrolled.data_dir, pair)
    assert again.library(LIBRARY).num_instruments == 10
    assert again.verify() == []
    query = np.eye(pair.embedding_dim, dtype=np.float32)[:1]
    assert len(again.candidates(LIBRARY, query, 99)[0]) == 10
    again.close()


def test_a_library_deleted_meanwhile_is_not_brought_back(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    with pytest.raises(LibraryNotFound, match="deleted meanwhile"):
        enroll(enrolled, pair, LIBRARY, few, progress=cut_at(2, lambda: enrolled.delete_library(LIBRARY)))
    assert enrolled.libraries() == []
    assert list(enrolled.previews_dir.iterdir()) == []


def test_readers_see_the_old_library_until_the_commit(
    enrolled: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    sizes: list[int] = []
    query = np.eye(pair.embedding_dim, dtype=np.float32)[:1]

    def look(*_: object) -> None:
        sizes.append(len(enrolled.candidates(LIBRARY, query, 99)[0]))

    enroll(enrolled, pair, LIBRARY, few, progress=look)
    look()
    assert sizes == [7, 7, 7, 7, 10]


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
