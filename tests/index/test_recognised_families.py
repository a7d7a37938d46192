"""Enrollment recognises the family of an instrument whose source names none, and never overrules a source or a person."""

from pathlib import Path

import pytest
from sqlalchemy import update

from index.catalog import Clip
from index.enroll import enroll
from index.enrollment.hearing import hear_instrument
from index.enrollment.recognising import recognise_unnamed
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo
from index.reembed import reembed
from index.source_finder import GivenSource
from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, open_index
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.pitch_families import HIGH_HZ, LOW_HZ, families_by_pitch, sine


@pytest.fixture
def pair() -> EncoderPair:
    made = random_pair()
    made.instrument_family = families_by_pitch(
        made, *((sine(LOW_HZ * ratio, made), sine(HIGH_HZ * ratio, made)) for ratio in (1.0, 1.5))
    )
    return made


@pytest.fixture
def index(tmp_path: Path, pair: EncoderPair) -> InstrumentIndex:
    return open_index(tmp_path / "data", pair)


def instruments() -> FakeSource:
    return FakeSource(
        FakeInstrument("One", LOW_HZ), FakeInstrument("Two", HIGH_HZ), FakeInstrument("Three", family="organ")
    )


def added(index: InstrumentIndex, pair: EncoderPair, source: FakeSource) -> dict[str, InstrumentInfo]:
    """Enroll into the library, which is created first; return what was added, by name."""
    if not index.libraries.all():
        index.libraries.create(LIBRARY)
    return {one.name: one for one in enroll(index, pair, LIBRARY, source).added}


def told(one: InstrumentInfo) -> tuple[str | None, str | None]:
    return one.family, one.recognised_family


def test_only_unnamed_families_are_recognised(index: InstrumentIndex, pair: EncoderPair) -> None:
    found = added(index, pair, instruments())
    assert {name: told(one) for name, one in found.items()} == {
        "One": (None, "bass"),
        "Two": (None, "flute"),
        "Three": ("organ", None),
    }
    families = found["One"].families or {}
    assert list(families) == ["bass", "flute"]
    assert sum(families.values()) == pytest.approx(1, abs=1e-3)
    assert found["Three"].families is None
    stored, _ = index.instruments.page(LIBRARY)
    assert [told(one) for one in stored] == [told(one) for one in found.values()]


def test_retrieval_hears_no_recognised_family(index: InstrumentIndex, pair: EncoderPair) -> None:
    """The search takes families that are named; the others stay as heard by the family model."""
    added(index, pair, instruments())
    assert [row.family for row in index.searchable(LIBRARY).rows] == [None, None, "organ"]
    assert [one.name for one in index.instruments.page(LIBRARY, family="organ")[0]] == ["Three"]
    assert index.instruments.page(LIBRARY, family="bass")[0] == []


def test_without_a_model_nothing_is_recognised(index: InstrumentIndex, pair: EncoderPair) -> None:
    pair.instrument_family = None
    assert [told(one) for one in added(index, pair, instruments()).values()] == [
        (None, None),
        (None, None),
        ("organ", None),
    ]


def test_families_are_the_mean_over_the_clips(pair: EncoderPair) -> None:
    heard = hear_instrument(pair, FakeInstrument("One", LOW_HZ))
    assert pair.instrument_family is not None
    mean = pair.instrument_family.probability(heard.clips).mean(axis=0)
    assert heard.families == pytest.approx({"bass": mean[0], "flute": mean[1]}, abs=1e-4)


@pytest.mark.parametrize("family", ["guitar", None])
def test_a_correction_wins_and_is_kept_when_enrolled_again(
    index: InstrumentIndex, pair: EncoderPair, family: str | None
) -> None:
    first = added(index, pair, instruments())["One"]
    revision = index.libraries.revision(first.library_id)
    corrected = index.instruments.correct(first.id, {"family": family})
    assert (told(corrected), corrected.families) == ((family, None), None)
    assert index.libraries.revision(first.library_id) > revision
    again = added(index, pair, FakeSource(FakeInstrument("One", LOW_HZ)))["One (2)"]
    assert (told(again), again.families) == ((family, None), None)
    assert told(index.instruments.get(first.id)) == (family, None)


def test_another_name_is_no_correction_of_the_family(index: InstrumentIndex, pair: EncoderPair) -> None:
    first = added(index, pair, instruments())["One"]
    assert told(index.instruments.correct(first.id, {"name": "Deep"})) == (None, "bass")


def test_old_instruments_get_families_when_they_are_embedded_again(tmp_path: Path, pair: EncoderPair) -> None:
    older = random_pair(seed=1)
    first = open_index(tmp_path / "data", older)
    before = added(first, older, instruments())
    assert before["Two"].recognised_family is None
    first.instruments.correct(before["Three"].id, {"family": None})
    first.close()
    index = open_index(tmp_path / "data", pair)
    given = [GivenSource(tmp_path, instruments())]
    assert reembed(index, pair, LIBRARY, given=given).num_updated == 3
    found, _ = index.instruments.page(LIBRARY)
    assert [told(one) for one in found] == [(None, "bass"), (None, "flute"), (None, None)]


def test_instruments_from_before_the_model_get_families_once(
    index: InstrumentIndex, pair: EncoderPair
) -> None:
    model, pair.instrument_family = pair.instrument_family, None
    before = added(index, pair, instruments())
    index.instruments.correct(before["Three"].id, {"family": None})
    assert model is not None
    assert recognise_unnamed(index.catalog, "sha256:other", model) == 0
    assert recognise_unnamed(index.catalog, pair.encoder_hash, model) == 2
    assert recognise_unnamed(index.catalog, pair.encoder_hash, model) == 0
    found, _ = index.instruments.page(LIBRARY)
    assert [told(one) for one in found] == [(None, "bass"), (None, "flute"), (None, None)]
    pair.instrument_family = model
    again = added(index, pair, FakeSource(FakeInstrument("One", LOW_HZ)))["One (2)"]
    assert again.families == found[0].families


def test_damaged_embeddings_have_no_family(index: InstrumentIndex, pair: EncoderPair) -> None:
    model, pair.instrument_family = pair.instrument_family, None
    one = added(index, pair, instruments())["One"]
    assert model is not None
    with index.catalog.write() as session:
        session.execute(update(Clip).where(Clip.position == 0).values(embedding=b"junk!"))
    assert recognise_unnamed(index.catalog, pair.encoder_hash, model) == 0
    assert index.instruments.get(one.id).families is None
