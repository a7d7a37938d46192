"""Descriptors of instruments: measured at enrollment, for older ones in the background, and searched in a direction."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select

from index.catalog import Instrument
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.sound_descriptors import Directions, SoundDescriptors, measure_missing, scores
from models.audio import decode
from models.encoder_pair import EncoderPair
from tests.index.conftest import LIBRARY, by_name
from tests.index.fake_source import FakeInstrument, FakeSource

Measured = dict[int, tuple[float | None, ...]]


def measured(index: InstrumentIndex) -> Measured:
    with index.catalog.session() as session:
        rows = session.scalars(select(SoundDescriptors)).all()
    return {row.vector_id: (row.brightness, row.attack, row.length) for row in rows}


def read(path: Path) -> tuple[np.ndarray, int]:
    return decode(path, sample_rate=44_100).samples, 44_100


def fill(index: InstrumentIndex) -> int:
    return measure_missing(index.catalog, index.folder.preview_file, read, lambda: False)


def forget(index: InstrumentIndex) -> None:
    with index.catalog.write() as session:
        session.execute(delete(SoundDescriptors))


@pytest.mark.both_databases
def test_what_is_measured_later_is_what_was_measured_at_enrollment(enrolled: InstrumentIndex) -> None:
    before = measured(enrolled)
    assert len(before) == len(by_name(enrolled))
    assert fill(enrolled) == 0
    forget(enrolled)
    assert fill(enrolled) == len(before)
    after = measured(enrolled)
    assert after.keys() == before.keys()
    for vector_id, values in before.items():
        assert after[vector_id] == pytest.approx(values, abs=0.3)


def test_an_instrument_without_a_preview_is_tried_once(index: InstrumentIndex, pair: EncoderPair) -> None:
    fakes = FakeSource(FakeInstrument("Heard"), FakeInstrument("Unheard", 500.0, has_preview=False))
    enroll(index, pair, index.libraries.create(LIBRARY).id, fakes)
    ((heard, known), (unheard, unknown)) = sorted(measured(index).items())
    assert heard < unheard
    assert np.isfinite(np.array(known, np.float64)).all()
    assert unknown == (None, None, None)
    assert fill(index) == 0
    index.folder.preview_file(by_name(index)["Heard"]).write_bytes(b"no mp3")
    forget(index)
    assert fill(index) == 2
    assert set(measured(index).values()) == {(None, None, None)}
    assert fill(index) == 0


def test_measuring_stops_and_goes_on(enrolled: InstrumentIndex) -> None:
    forget(enrolled)
    asked = iter([False, False, False, True, True, True])  # before the batch, and before each preview
    assert measure_missing(enrolled.catalog, enrolled.folder.preview_file, read, lambda: next(asked)) == 2
    assert len(measured(enrolled)) == 2
    assert fill(enrolled) == len(by_name(enrolled)) - 2


def test_a_purged_instrument_takes_its_row_along(enrolled: InstrumentIndex) -> None:
    enrolled.libraries.undo_seconds = 0.0
    before = measured(enrolled)
    enrolled.instruments.delete(by_name(enrolled)["Pure"])
    enrolled.libraries.purge()
    assert len(measured(enrolled)) == len(before) - 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_direction_leads_there_and_none_leaves_the_order(enrolled: InstrumentIndex, place: int) -> None:
    sign = (1.0, -1.0, 1.0)[place]  # a harder attack is a shorter one
    with enrolled.catalog.session() as session:
        id_of = dict(session.execute(select(Instrument.id, Instrument.vector_id)).all())
    value_of = {one: values[place] or 0.0 for one, values in measured(enrolled).items()}
    for instrument_id in by_name(enrolled).values():
        plain = enrolled.similar(instrument_id, 9)
        assert enrolled.similar(instrument_id, 9, Directions()) == plain
        means = []
        for amount in (-1.0, 0.0, 1.0):
            hits = enrolled.similar(instrument_id, 3, Directions(*np.eye(3)[place] * amount))
            assert instrument_id not in [hit.instrument_id for hit in hits]
            means.append(sign * float(np.mean([value_of[id_of[hit.instrument_id]] for hit in hits])))
        assert means == sorted(means)
        similarity_of = {hit.instrument_id: hit.similarity for hit in plain}
        for hit in enrolled.similar(instrument_id, 9, Directions(1.0, 1.0, 1.0)):
            assert hit.similarity == pytest.approx(similarity_of[hit.instrument_id], abs=1e-5)


def test_what_is_not_measured_stays_where_it_is(enrolled: InstrumentIndex) -> None:
    forget(enrolled)
    cosines = np.array([1.0, 0.5, 0.2], np.float32)
    assert scores(enrolled.catalog, cosines, [1, 2, 3], 1, Directions(1.0, 1.0, 1.0)) == pytest.approx(
        cosines
    )
