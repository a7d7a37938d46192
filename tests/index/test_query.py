"""Whole queries: exact answers with a pair that recognises sines, well-formed answers with random encoders."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.lane_families import most_probable
from index.query import QueryResult, run_query
from index.sources.base import Floats
from models.encoder_pair import EncoderPair
from models.errors import LibraryEmpty, LibraryNotFound, SilentAudio
from models.family import LEAST_AGREEMENT, STRENGTH, FamilyModel
from models.posterior import SCALE
from tests.index.conftest import LIBRARY, open_index
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tone_pair import TonePair, band_hz

BANDS = (1, 3, 5, 8, 11, 14)
RATE = 8000


class ToneInstrument(FakeInstrument):
    """One band of the pair's sixteen."""

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        return super().clips(sample_rate, clip_samples)[:1]


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InstrumentIndex, TonePair]]:
    pair = TonePair()
    index = open_index(tmp_path_factory.mktemp("tones"), pair)
    families = ("bass", "bass", "reed", "reed", "flute", None)
    instruments = [
        ToneInstrument(f"Tone {band}", band_hz(band), family=family)
        for band, family in zip(BANDS, families, strict=True)
    ]
    enroll(index, pair, index.libraries.create("Tones").id, FakeSource(*instruments))
    yield index, pair
    index.close()


def tone(band: int, start: float, end: float, seconds: float, level: float = 0.2) -> np.ndarray:
    """A sine that sounds from `start` to `end` in `seconds` of silence."""
    time = np.arange(int(seconds * RATE)) / RATE
    sounding = (time >= start) & (time < end)
    return (level * np.sin(2 * np.pi * band_hz(band) * time) * sounding).astype(np.float32)


@settings(deadline=None, max_examples=25)
@given(st.sets(st.sampled_from(BANDS), min_size=1, max_size=4), st.floats(0.1, 4.0))
def test_a_mixture_gives_back_its_instruments(
    tones: tuple[InstrumentIndex, TonePair], bands: set[int], seconds: float
) -> None:
    index, pair = tones
    mixture = np.sum([tone(band, 0.0, seconds, max(seconds, 1.0)) for band in bands], axis=0)[
        : int(seconds * RATE)
    ]
    result, timing = run_query(index, pair, mixture * 4, library="Tones")
    assert result.num_instruments == len(bands) == len(result.retrieved)
    assert {slot.hits[0].name for slot in result.slots} == {f"Tone {band}" for band in bands}
    assert {one.hit.name for one in result.instruments[: len(bands)]} == {f"Tone {band}" for band in bands}
    for one in result.instruments[: len(bands)]:
        (number,) = one.slots
        assert result.slots[number].hits[0] == one.hit
    for slot in result.slots:
        assert slot.presence == 1.0
        assert [edge for span in slot.active for edge in span] == pytest.approx([0.0, len(mixture) / RATE])
        similarities = [hit.similarity for hit in slot.hits]
        assert similarities == sorted(similarities, reverse=True)
        assert len(similarities) == 5
    assert timing.keys() == {"encode", "search"}


def test_times_say_when_each_instrument_sounds_and_count_from_the_files_beginning(
    tones: tuple[InstrumentIndex, TonePair],
) -> None:
    index, pair = tones
    mixture = tone(1, 0, 10, 10) + tone(5, 0, 4, 10) + tone(11, 3, 6, 10) + tone(11, 8, 10, 10)
    result, _ = run_query(index, pair, mixture, 30.0, library="Tones", top_k=1)
    active = {slot.hits[0].name: slot.active for slot in result.slots}
    assert active == {
        "Tone 1": ((30.0, 40.0),),
        "Tone 5": ((30.0, 34.0),),
        "Tone 11": ((33.0, 36.0), (38.0, 40.0)),
    }
    assert [slot.hits[0].name for slot in result.slots] == ["Tone 1", "Tone 11", "Tone 5"]
    assert [slot.slot for slot in result.slots] == [0, 1, 2]


@pytest.mark.parametrize("as_published", [False, True])
def test_every_hit_has_a_reason(tones: tuple[InstrumentIndex, TonePair], as_published: bool) -> None:
    index, pair = tones
    mixture = tone(1, 0, 6, 6) + tone(5, 3, 5, 6)

    def ask(top_k: int) -> QueryResult:
        return run_query(index, pair, mixture, 30.0, library="Tones", as_published=as_published, top_k=top_k)[
            0
        ]

    result = ask(len(BANDS))
    for slot in result.slots:
        assert len(slot.reasons) == len(slot.hits) == len(BANDS)
        leads = [reason.lead for reason in slot.reasons]
        assert leads[-1] is None
        similarity = [hit.similarity for hit in slot.hits]
        assert leads[:-1] == pytest.approx([one - other for one, other in pairwise(similarity)])
        for reason in slot.reasons:
            assert 30.0 <= reason.span[0] < reason.span[1] <= 36.0
            assert reason.span[1] - reason.span[0] == pytest.approx(1.0)
    for few, all_ in zip(ask(1).slots, result.slots, strict=True):
        assert few.reasons == all_.reasons[:1]  # the next hit counts where it is not shown
    if not as_published:
        (heard,) = (slot for slot in result.slots if slot.hits[0].name == "Tone 5")
        start, end = heard.reasons[0].span
        assert 32.5 <= start < end <= 35.5  # of the windows that hear it


def test_silence_within_the_audio_belongs_to_no_instrument(tones: tuple[InstrumentIndex, TonePair]) -> None:
    index, pair = tones
    mixture = tone(3, 0, 2, 8) + tone(3, 6, 8, 8)
    for as_published in (False, True):
        result, _ = run_query(index, pair, mixture, library="Tones", as_published=as_published, top_k=1)
        assert len(result.slots) == (pair.num_slots if as_published else 1)
        assert "Tone 3" in {slot.hits[0].name for slot in result.slots}
    auto, _ = run_query(index, pair, mixture, library="Tones")
    assert auto.slots[0].active == ((0.0, 2.0), (6.0, 8.0))


def test_the_papers_mode_always_fills_every_slot(tones: tuple[InstrumentIndex, TonePair]) -> None:
    index, pair = tones
    mixture = tone(3, 0, 3, 3) + tone(8, 0, 3, 3)
    result, _ = run_query(index, pair, mixture, 2.0, library="Tones", as_published=True, top_k=2)
    assert [slot.slot for slot in result.slots] == [0, 1, 2, 3]
    assert {slot.hits[0].name for slot in result.slots[:2]} == {"Tone 3", "Tone 8"}
    assert [slot.presence for slot in result.slots] == [1.0, 1.0, 0.0, 0.0]
    assert {slot.active for slot in result.slots} == {((2.0, 5.0),)}
    assert result.num_instruments == len(result.retrieved) >= 2


def test_a_family_narrows_the_hits(tones: tuple[InstrumentIndex, TonePair]) -> None:
    index, pair = tones
    mixture = tone(5, 0, 3, 3)
    result, _ = run_query(index, pair, mixture, library="Tones", family="bass", top_k=9)
    assert {hit.name for hit in result.slots[0].hits} == {"Tone 1", "Tone 3"}
    assert [one.hit.family for one in result.instruments] == ["bass", "bass"]
    assert result.instruments[0].probability < 0.5  # the reed plays, and the whole library says so
    for as_published in (False, True):
        result, _ = run_query(
            index, pair, mixture, library="Tones", family="guitar", as_published=as_published
        )
        assert result.slots[0].hits == ()
        assert result.retrieved == ()
        assert result.instruments == ()


def test_a_lane_keeps_its_family_whichever_family_is_asked_for(
    tones: tuple[InstrumentIndex, TonePair],
) -> None:
    index, pair = tones
    reed = tone(5, 0.0, 1.0, 1.0)
    (whole,) = run_query(index, pair, reed, library="Tones")[0].slots
    assert most_probable(whole.families) == "reed"
    for family in ("bass", "guitar"):
        (slot,) = run_query(index, pair, reed, library="Tones", family=family)[0].slots
        assert slot.families == whole.families, family
    published = [
        run_query(index, pair, reed, library="Tones", family=family, as_published=True)[0]
        for family in (None, "bass")
    ]
    first, second = ([slot.families for slot in one.slots] for one in published)
    assert first == second


def test_the_family_that_is_heard_decides_between_two_that_are_as_near(tmp_path: Path) -> None:
    pair = TonePair()
    index = open_index(tmp_path, pair)
    twins = [ToneInstrument(name, band_hz(5), family=name) for name in ("bass", "reed")]
    enroll(index, pair, index.libraries.create("Twins").id, FakeSource(*twins))
    heard = tone(5, 0.0, 1.0, 1.0)
    embedding = pair.encode(heard[None, : pair.clip_samples])[0][0, 0]
    for family in ("bass", "reed"):
        weight = np.stack([20 * embedding * (name == family) for name in ("bass", "reed")])
        pair.family = FamilyModel(("bass", "reed"), weight.astype(np.float32), np.zeros(2, np.float32))
        (slot,) = run_query(index, pair, heard, library="Twins")[0].slots
        first, second = slot.hits
        assert (first.name, most_probable(slot.families)) == (family, family)
        assert first.similarity - second.similarity == pytest.approx(
            -STRENGTH * np.log(LEAST_AGREEMENT) / SCALE, abs=1e-3
        )
        published = run_query(index, pair, heard, library="Twins", as_published=True)[0].slots[0]
        assert published.hits[0].similarity == pytest.approx(published.hits[1].similarity)
    index.close()


@pytest.mark.parametrize("as_published", [False, True])
def test_what_is_excluded_leaves_its_probability_to_the_others(
    tones: tuple[InstrumentIndex, TonePair], as_published: bool
) -> None:
    index, pair = tones
    mixture = tone(5, 0, 3, 3)
    whole, _ = run_query(index, pair, mixture, library="Tones", as_published=as_published)
    first = whole.instruments[0].hit
    assert first.name == "Tone 5"
    rest, _ = run_query(
        index, pair, mixture, library="Tones", as_published=as_published, exclude=[first.instrument_id]
    )
    names = [one.hit.name for one in rest.instruments]
    assert "Tone 5" not in {*names, *(hit.name for slot in rest.slots for hit in slot.hits)}
    before = {one.hit.name: one.probability for one in whole.instruments}
    for one in rest.instruments:
        assert one.probability >= before[one.hit.name]
    everything = [row.instrument_id for row in index.searchable("Tones").rows]
    nothing, _ = run_query(
        index, pair, mixture, library="Tones", as_published=as_published, exclude=everything
    )
    assert (nothing.instruments, nothing.retrieved) == ((), ())


@pytest.mark.parametrize("as_published", [False, True])
def test_sound_effects_are_hits_only_if_asked_for(tmp_path: Path, as_published: bool) -> None:
    pair = TonePair()
    index = open_index(tmp_path, pair)

    def names(library: str, **asked: Any) -> set[str]:
        result, _ = run_query(
            index, pair, tone(5, 0, 3, 3), library=library, as_published=as_published, **asked
        )
        hits = {hit.name for slot in result.slots for hit in slot.hits}
        assert {one.hit.name for one in result.instruments} == hits
        assert result.retrieved
        return hits

    noise = ToneInstrument("Noise", band_hz(5), family="effect")
    flute = ToneInstrument("Flute", band_hz(8), family="flute")
    for name, instruments in {"Both": [noise, flute], "Noises": [noise]}.items():
        enroll(index, pair, index.libraries.create(name).id, FakeSource(*instruments))
    assert names("Both") == {"Flute"}
    assert names("Both", effects=True) == {"Noise", "Flute"}
    assert names("Both", family="effect") == {"Noise"}
    assert names("Noises") == {"Noise"}  # a library of nothing else
    index.close()


def test_audio_in_which_nothing_is_recognised_has_no_instruments(
    tones: tuple[InstrumentIndex, TonePair],
) -> None:
    index, pair = tones
    quiet = tone(3, 0, 3, 3, level=0.01)  # audible, but below the pair's presence level
    result, _ = run_query(index, pair, quiet, library="Tones")
    assert (result.num_instruments, result.slots, result.retrieved) == (0, (), ())


@pytest.mark.parametrize("as_published", [False, True])
@pytest.mark.parametrize("samples", [1, 80, 79_999, 80_000, 80_001, 300_000])
def test_any_length_gives_a_well_formed_answer(
    enrolled: InstrumentIndex, pair: EncoderPair, rng: np.random.Generator, as_published: bool, samples: int
) -> None:
    noise = rng.uniform(-0.9, 0.9, samples).astype(np.float32)
    result, _ = run_query(enrolled, pair, noise, library=LIBRARY, as_published=as_published, top_k=3)
    ranking = [one.hit.instrument_id for one in result.instruments]
    assert len(ranking) == len(set(ranking)) == enrolled.libraries.get(LIBRARY).num_instruments
    if not as_published:
        assert list(result.retrieved) == ranking[: len(result.slots)]
    for one in result.instruments:
        assert 0 <= one.probability <= 1
        assert all(0 <= slot < len(result.slots) for slot in one.slots)
    for slot in result.slots:
        assert len(slot.hits) == 3
        edges = [edge for span in slot.active for edge in span]
        assert all(a < b for a, b in pairwise(edges))
        assert edges[0] >= 0.0
        assert edges[-1] <= samples / 16_000


def test_silent_audio_is_refused(enrolled: InstrumentIndex, pair: EncoderPair) -> None:
    for level in (0.0, 10 ** (-71 / 20)):
        with pytest.raises(SilentAudio, match="-70 dBFS"):
            run_query(enrolled, pair, np.full(100_000, level, np.float32), library=LIBRARY)


def test_a_library_that_cannot_be_searched_is_refused_before_encoding(
    index: InstrumentIndex, tmp_path: Path
) -> None:
    class NeverEncodes(TonePair):
        def encode(self, windows: Floats) -> tuple[Floats, Floats]:
            raise AssertionError

    pair = NeverEncodes()
    samples = tone(3, 0, 3, 3)
    tones = open_index(tmp_path / "tones", pair)
    tones.libraries.create("empty")
    enroll(tones, pair, tones.libraries.create("Lib").id, FakeSource(FakeInstrument("Pure")))
    with pytest.raises(LibraryNotFound):
        run_query(tones, pair, samples, library="nowhere")
    with pytest.raises(LibraryEmpty):
        run_query(tones, pair, samples, library="empty")
    tones.close()
