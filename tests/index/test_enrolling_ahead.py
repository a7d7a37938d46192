"""Instruments are rendered ahead of the encoder, in the source's order, and few of them are in memory at any moment."""

import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from index.enroll import enroll
from index.enrollment.hearing import hear_instrument, hear_together
from index.enrollment.readers import AHEAD, InstrumentReaders
from index.instrument_index import InstrumentIndex
from index.sources.base import Floats
from models.encoder_pair import EncoderPair
from models.errors import SourceError
from tests.encoders import random_pair_of
from tests.index.fake_source import FakeInstrument, FakeSource

READERS = 3


class Passing(FakeSource):
    """Makes each instrument anew when it is its turn, as sources do that read files, and counts those that are alive."""

    def __init__(self, number: int, num_readers: int = READERS) -> None:
        super().__init__()
        self.num_readers = num_readers
        self.most_alive = 0
        self._number = number
        self._alive = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[FakeInstrument]:
        for number in range(self._number):
            made = FakeInstrument(f"Tone {number}", 100.0 + number)
            with self._lock:
                self._alive += 1
                self.most_alive = max(self.most_alive, self._alive)
            weakref.finalize(made, self._forget)
            yield made
            del made

    def _forget(self) -> None:
        with self._lock:
            self._alive -= 1


def rendered(source: FakeSource, pair: EncoderPair) -> list[str]:
    with InstrumentReaders(source, lambda one: True, pair.sample_rate, pair.clip_samples) as readers:
        return [item.instrument.name for item in readers]


@pytest.mark.parametrize("num_readers", [1, 2, 3, 50])
def test_instruments_come_in_the_order_of_the_source(pair: EncoderPair, num_readers: int) -> None:
    assert rendered(Passing(10, num_readers), pair) == [f"Tone {number}" for number in range(10)]


def test_few_instruments_are_in_memory_however_many_there_are(
    index: InstrumentIndex, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.enrollment.batches.BATCH_INSTRUMENTS", 4)
    most = {}
    for number in (30, 90):
        source = Passing(number)
        enroll(index, pair, index.libraries.create(f"Lib {number}").id, source)
        assert index.libraries.get(f"Lib {number}").num_instruments == number
        most[number] = source.most_alive
    assert max(most.values()) <= 4 + READERS * (AHEAD + 3)  # a batch; ready, being rendered, and looked at


def test_rendering_goes_on_while_the_encoder_works(index: InstrumentIndex) -> None:
    """The encoder waits for an instrument that is rendered after those that it is given."""
    later = threading.Event()

    class Waiting(EncoderPair):
        batch_size = 2  # clips: one instrument

        def embed(self, clips: Floats) -> Floats:
            assert later.wait(30)
            return super().embed(clips)

    class Later(FakeInstrument):
        def clips(self, sample_rate: int, clip_samples: int) -> Floats:
            later.set()
            return super().clips(sample_rate, clip_samples)

    pair = random_pair_of(Waiting)
    source = FakeSource(FakeInstrument("First"), FakeInstrument("Second", 200.0), Later("Third", 400.0))
    report = enroll(index, pair, index.libraries.create("Lib").id, source)
    assert [one.name for one in report.added] == ["First", "Second", "Third"]


def test_instruments_that_are_heard_together_are_heard_as_alone(pair: EncoderPair) -> None:
    instruments = [FakeInstrument(f"Tone {number}", 100.0 + 50.0 * number) for number in range(40)]
    shape = pair.sample_rate, pair.clip_samples
    together = hear_together(pair, [(one, one.clips(*shape)) for one in instruments])
    for instrument, heard in zip(instruments, together, strict=True):
        alone = hear_instrument(pair, instrument)
        assert not isinstance(heard, SourceError)
        assert np.allclose(heard.clips, alone.clips, atol=1e-5)
        assert np.allclose(heard.mean, alone.mean, atol=1e-5)


def test_one_that_cannot_be_heard_takes_no_other_with_it(pair: EncoderPair) -> None:
    class SecondIsDeaf(EncoderPair):
        def embed(self, clips: Floats) -> Floats:
            embedded = super().embed(clips)
            embedded[2:4] = np.nan
            return embedded

    instruments = [FakeInstrument(name, hz) for name, hz in (("a", 100.0), ("b", 200.0), ("c", 300.0))]
    deaf = random_pair_of(SecondIsDeaf)
    shape = deaf.sample_rate, deaf.clip_samples
    found = hear_together(deaf, [(one, one.clips(*shape)) for one in instruments])
    assert [isinstance(one, SourceError) for one in found] == [False, True, False]


def test_what_a_source_raises_ends_the_enrollment_and_its_threads(
    index: InstrumentIndex, pair: EncoderPair
) -> None:
    class Broken(Passing):
        def __iter__(self) -> Iterator[FakeInstrument]:
            yield FakeInstrument("Pure")
            raise OSError(5, "Input/output error")

    before = threading.active_count()
    with pytest.raises(OSError, match="Input/output"):
        enroll(index, pair, index.libraries.create("Lib").id, Broken(8))
    assert threading.active_count() == before
    assert index.libraries.get("Lib").num_instruments == 0
