"""Enrollment recognises the family of an instrument whose source names none, and never overrules a source or a person."""

from pathlib import Path

import pytest

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo
from index.reembed import reembed
from index.source_finder import GivenSource
from models.encoder_pair import EncoderPair
from models.errors import SilentAudio
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, open_index
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.pitch_recogniser import HIGH_HZ, LOW_HZ, PitchRecogniser


@pytest.fixture
def pair() -> EncoderPair:
    made = random_pair()
    made.solo = PitchRecogniser()
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
    assert found["One"].families == {"bass": 0.9, "flute": 0.1}
    assert found["Three"].families is None
    stored, _ = index.instruments.page(LIBRARY)
    assert [told(one) for one in stored] == [told(one) for one in found.values()]


def test_retrieval_hears_no_recognised_family(index: InstrumentIndex, pair: EncoderPair) -> None:
    """The search takes families that are named; the others stay as heard by the family model."""
    added(index, pair, instruments())
    assert [row.family for row in index.searchable(LIBRARY).rows] == [None, None, "organ"]
    assert [one.name for one in index.instruments.page(LIBRARY, family="organ")[0]] == ["Three"]
    assert index.instruments.page(LIBRARY, family="bass")[0] == []


def test_without_a_network_everything_is_as_before(index: InstrumentIndex, pair: EncoderPair) -> None:
    pair.solo = None
    assert [told(one) for one in added(index, pair, instruments()).values()] == [
        (None, None),
        (None, None),
        ("organ", None),
    ]


def test_what_the_network_hears_as_silence_is_enrolled(
    index: InstrumentIndex, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(self: object, recordings: object) -> dict[str, float]:
        raise SilentAudio("silent")

    monkeypatch.setattr(PitchRecogniser, "recognise", silent)
    assert added(index, pair, instruments())["One"].families is None


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
