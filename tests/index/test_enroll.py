"""Enrollment adds, names, skips and refuses instruments as documented, and reports its progress."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from index.catalog import Clip, Instrument
from index.enroll import enroll
from index.enrollment.batches import free_name
from index.instrument_index import InstrumentIndex
from index.sources.base import Floats
from index.sources.folder import FolderSource
from index.sources.soundfont import SoundFontSource
from index.stored_embeddings import from_bytes
from models.audio import decode
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryNotFound, SourceError
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, open_index, state_of, write_tone
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tiny_soundfont import PATCHES


@pytest.mark.both_databases
def test_all_presets_are_enrolled(enrolled: InstrumentIndex) -> None:
    rows, _ = enrolled.instruments.page(LIBRARY)
    assert [row.name for row in rows] == [patch.name for patch in PATCHES]
    assert enrolled.libraries.get(LIBRARY).num_instruments == 7
    assert enrolled.verify() == []
    for row in rows:
        preview = decode(enrolled.instruments.preview_path(row.id), sample_rate=44_100)
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
    report = enroll(index, pair, index.libraries.create("Tones").id, source)
    assert len(report.added) == 12
    for instrument in source:
        queries = pair.embed(instrument.clips(pair.sample_rate, pair.clip_samples))
        first = index.searchable("Tones").search(queries, 1)[0][0]
        assert first.name == instrument.name
        assert first.similarity == pytest.approx(1.0, abs=1e-5)


def test_progress_counts_every_instrument(index: InstrumentIndex, pair: EncoderPair, few: FakeSource) -> None:
    seen: list[tuple[int, int, str]] = []
    library = index.libraries.create("Lib")
    report = enroll(index, pair, library.name, few, progress=lambda *step: seen.append(step))
    assert seen == [(0, 3, ""), (1, 3, "Pure"), (2, 3, "Low"), (3, 3, "High"), (3, 3, "drawing the map")]
    assert report.added == index.instruments.page(library.id)[0]
    assert report.skipped == []
    assert not report.cancelled


@pytest.mark.both_databases
def test_names_stay_unique_in_a_library(index: InstrumentIndex, pair: EncoderPair, few: FakeSource) -> None:
    library = index.libraries.create("Lib")
    for _ in range(3):
        enroll(index, pair, library.id, few)
    names = [row.name for row in index.instruments.page(library.id)[0]]
    assert names[::3] == ["Pure", "Pure (2)", "Pure (3)"]
    assert len(set(names)) == 9


@given(st.lists(st.sampled_from(["a", "a ", " a\n", "a (2)", "b", "", "   "]), max_size=12))
def test_any_names_become_unique(names: list[str]) -> None:
    taken: set[str] = set()
    free = [free_name(name, taken) for name in names]
    assert len(set(free)) == len(names)
    assert all(name.strip() for name in free)


def test_what_cannot_be_used_is_skipped_with_its_reason(
    index: InstrumentIndex, pair: EncoderPair, tmp_path: Path
) -> None:
    write_tone(tmp_path / "lib" / "good.wav", 300)
    write_tone(tmp_path / "lib" / "partly" / "tone.wav", 400)
    (tmp_path / "lib" / "partly" / "broken.wav").write_bytes(b"this is no wave file at all")
    (tmp_path / "lib" / "broken.wav").write_bytes(b"this is no wave file at all")
    report = enroll(index, pair, index.libraries.create("Lib").id, FolderSource(tmp_path / "lib"))
    assert sorted(one.name for one in report.added) == ["good", "partly"]
    reasons = dict(report.skipped)
    assert sorted(name for name, _ in report.skipped) == ["broken", "partly/broken.wav"]  # each file once
    assert "not an audio file" in reasons["partly/broken.wav"]
    assert "not an audio file" in reasons["broken"]
    assert index.verify() == []


def test_a_silent_instrument_is_skipped_and_one_may_do_without_a_preview(
    index: InstrumentIndex, pair: EncoderPair
) -> None:
    source = FakeSource(FakeInstrument("mute", None), FakeInstrument("unplayable", has_preview=False))
    report = enroll(index, pair, index.libraries.create("Lib").id, source)
    assert [one.name for one in report.added] == ["unplayable"]
    assert report.skipped == [("mute", "mute is silent"), ("unplayable, its preview", "nothing to play")]


def test_embeddings_that_are_no_numbers_are_not_stored(index: InstrumentIndex, pair: EncoderPair) -> None:
    class NanPair(EncoderPair):
        def __init__(self) -> None:
            vars(self).update(vars(pair))

        def embed(self, clips: Floats) -> Floats:
            return np.full((len(clips), self.embedding_dim), np.nan, np.float32)

    library = index.libraries.create("Lib")
    with pytest.raises(SourceError, match="the clips of dumb have no usable mean"):
        enroll(index, NanPair(), library.id, FakeSource(FakeInstrument("dumb")))
    assert index.libraries.get(library.id).num_instruments == 0


def test_a_source_of_which_nothing_can_be_used_is_an_error(index: InstrumentIndex, pair: EncoderPair) -> None:
    library = index.libraries.create("Lib")
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
    other_pair = random_pair(seed=1)
    with pytest.raises(EncoderMismatch):
        enroll(enrolled, other_pair, LIBRARY, few, progress=never)
    other = open_index(enrolled.folder.root, other_pair)
    with pytest.raises(EncoderMismatch, match="showme index reembed"):
        enroll(other, other_pair, LIBRARY, few, progress=never)
    other.close()


@pytest.mark.both_databases
def test_an_empty_library_takes_the_encoder_of_its_first_instruments(
    index: InstrumentIndex, few: FakeSource
) -> None:
    index.libraries.create("Lib")
    other_pair = random_pair(seed=1)
    other = open_index(index.folder.root, other_pair)
    enroll(other, other_pair, "Lib", few)
    assert other.libraries.get("Lib").encoder_hash == other_pair.encoder_hash
    assert other.verify() == []
    other.close()
