"""Renders the instruments of a source ahead of the encoder, in one thread or several, and gives them in the source's order.

A source whose audio is decoded in worker processes (`index/decoding/`) says how many may read it at once. Each reader goes
through the source by itself and renders every n-th instrument, so that a few are in memory, however many there are.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from index.sources.base import Floats, InstrumentSource, SourceInstrument
from models.errors import AudioError, SourceError

AHEAD = 2  # instruments that each reader may have ready
_POLL_SECONDS = 0.1


class RenderedInstrument(NamedTuple):
    """An instrument with its clips `[clips, samples]` and its preview, None each if there are none.

    `skipped` names the parts that were left out, or all of it, and why.
    """

    instrument: SourceInstrument
    clips: Floats | None = None
    preview: tuple[Floats, int] | None = None
    skipped: tuple[tuple[str, str], ...] = ()


class InstrumentReaders:
    """An iterator over all instruments of a source, to be used as a context: it ends its threads.

    Instruments that are not `wanted` come without clips, unrendered. What a source raises unexpectedly is raised in turn.
    """

    def __init__(
        self,
        source: InstrumentSource,
        wanted: Callable[[SourceInstrument], bool],
        sample_rate: int,
        clip_samples: int,
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._shape = sample_rate, clip_samples
        self._stopped = threading.Event()
        number = max(1, min(getattr(source, "num_readers", 1), len(source)))
        self._ready: list[queue.Queue[RenderedInstrument | BaseException]] = [
            queue.Queue(AHEAD) for _ in range(number)
        ]
        self._threads = [
            threading.Thread(target=self._read, args=(place,), name="reader", daemon=True)
            for place in range(number)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading, after the instruments that are being rendered."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[RenderedInstrument]:
        for place in range(len(self._source)):
            found = self._ready[place % len(self._ready)].get()
            if isinstance(found, BaseException):
                raise found
            yield found

    def _read(self, first: int) -> None:
        instruments = iter(self._source)
        try:
            for place, instrument in enumerate(instruments):
                if self._stopped.is_set():
                    return
                if place % len(self._ready) == first:
                    self._put(first, self._rendered(instrument))
            self._put(first, SourceError(f"{self._source.name} has fewer instruments than it says"))
        except BaseException as error:
            self._put(first, error)
        finally:
            if close := getattr(instruments, "close", None):
                close()  # ends the process that decodes for this reader

    def _put(self, reader: int, found: RenderedInstrument | BaseException) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._ready[reader].put(found, timeout=_POLL_SECONDS)
                return

    def _rendered(self, instrument: SourceInstrument) -> RenderedInstrument:
        if not self._wanted(instrument):
            return RenderedInstrument(instrument)
        try:
            clips = instrument.clips(*self._shape)
        except (SourceError, AudioError) as error:  # the message names the files
            return RenderedInstrument(instrument, skipped=((instrument.name, error.message),))
        preview: tuple[Floats, int] | None = None
        skipped: list[tuple[str, str]] = []
        try:
            preview = instrument.preview()
        except (SourceError, AudioError) as error:
            skipped.append((f"{instrument.name}, its preview", error.message))
        skipped += [(f"{instrument.name}/{part}", reason) for part, reason in instrument.faults]
        return RenderedInstrument(instrument, clips, preview, tuple(skipped))
