"""A decode worker: `python -m index.decoding.worker N`, whose end of the channel is the open file N.

It knows no database and no encoder. Before the first file it gives up what `sandbox.py` can take from it, and it ends when the
service closes the channel.
"""

import math
import os
import socket
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from index.decoding import sandbox
from index.decoding.archives import BROKEN
from index.decoding.channel import Channel, ChannelClosed, Message
from index.sources.base import Floats, InstrumentSource, Note, SourceInstrument, is_playable
from models.audio import decode_into, expected_seconds
from models.error_kind import kind_of
from models.errors import ShowMeError, SourceError

CHUNK_BYTES = 1 << 20


class _Sender:
    """Sends samples as they are decoded."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._seconds = 0.0

    def admit(self, seconds: float) -> None:
        """Note what is decoded; the service admits it before it reads the samples."""
        self._seconds = seconds

    def add(self, block: np.ndarray) -> None:
        if len(block):
            self._channel.send_samples(self._seconds, block)


class _PlacedInstruments:
    """The instruments of a source by their place. Only the last one asked for is kept, with what it has decoded."""

    def __init__(self, source: InstrumentSource) -> None:
        self._source = source
        self._rest: Iterator[SourceInstrument] = iter(())
        self._place = math.inf
        self._last: SourceInstrument | None = None

    def at(self, place: int) -> SourceInstrument:
        if place < self._place:
            self._rest, self._place = iter(self._source), -1
        while self._place < place:
            self._last, self._place = next(self._rest), self._place + 1
        assert self._last is not None
        return self._last


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._cpu_seconds = math.inf
        self._instruments: _PlacedInstruments | None = None
        self._archive: zipfile.ZipFile | None = None
        self._actions: dict[str, Callable[[Message, BinaryIO | None], Message]] = {
            "arm": self._arm,
            "expect": self._expect,
            "decode": self._decode,
            "open": self._open,
            "clips": self._clips,
            "preview": self._preview,
            "play": self._play,
            "entries": self._entries,
            "entry": self._entry,
        }

    def serve(self) -> None:
        """Answer requests until the channel is closed."""
        while True:
            request, descriptor = self._channel.receive_with_file()
            file = None if descriptor is None else os.fdopen(descriptor, "rb")
            if request["do"] != "entry" and self._archive:
                self._archive.close()
                self._archive = None
            if math.isfinite(self._cpu_seconds):
                sandbox.limit_processor(self._cpu_seconds)
            try:
                answer = self._actions[request["do"]](request, file)
            except ChannelClosed:
                raise
            except ShowMeError as error:
                answer = {"error": _as_message(error)}
            except MemoryError:
                answer = {"stopped": "memory"}
            except Exception as error:  # the service tells it, and goes on
                answer = {"unexpected": kind_of(error)}
            finally:
                if file and self._archive is None:
                    file.close()
            array = answer.pop("array", None)
            self._channel.send(answer)
            if array is not None:
                self._channel.send_array(array)

    def _arm(self, request: Message, _: BinaryIO | None) -> Message:
        """Take over the limits. From here on hostile bytes may come."""
        if request["sources"]:
            import index.sources.opening  # noqa: F401  later it could not be read any more
        readable = [Path(path) for path in request["readable"]]
        held = list(_held) + sandbox.read_only_below([*_code(), *readable])
        if sandbox.limit_memory(request["memory_bytes"]):
            held.append("AS")
        self._cpu_seconds = request["cpu_seconds"]
        return {"held": held}

    def _expect(self, request: Message, file: BinaryIO | None) -> Message:
        assert file is not None
        return {"seconds": expected_seconds(file, **request["options"])}

    def _decode(self, request: Message, file: BinaryIO | None) -> Message:
        assert file is not None
        sender = _Sender(self._channel)
        decoded = decode_into(sender, file, admit=sender.admit, **request["options"])
        return {
            "first_sample": decoded.first_sample,
            "num_samples": decoded.num_samples,
            "duration_seconds": decoded.duration_seconds,
            "range_seconds": decoded.range_seconds,
        }

    def _open(self, request: Message, _: BinaryIO | None) -> Message:
        source = _opened(request)
        self._instruments = _PlacedInstruments(source)
        return {
            "name": source.name,
            "instruments": [_described(instrument) for instrument in source],
            "faults": source.faults,
        }

    def _clips(self, request: Message, _: BinaryIO | None) -> Message:
        instrument = self._instrument(request)
        clips = instrument.clips(request["sample_rate"], request["clip_samples"])
        return _with_array(instrument, clips, request["sample_rate"])

    def _preview(self, request: Message, _: BinaryIO | None) -> Message:
        instrument = self._instrument(request)
        return _with_array(instrument, *instrument.preview())

    def _play(self, request: Message, _: BinaryIO | None) -> Message:
        instrument = self._instrument(request)
        if not is_playable(instrument):
            raise SourceError(f"{instrument.name} is made of recordings", value=instrument.source)
        notes, sample_rate = [Note(*row) for row in request["notes"]], request["sample_rate"]
        return _with_array(instrument, instrument.play(notes, request["seconds"], sample_rate), sample_rate)

    def _instrument(self, request: Message) -> SourceInstrument:
        assert self._instruments is not None
        return self._instruments.at(request["place"])

    def _entries(self, _: Message, file: BinaryIO | None) -> Message:
        assert file is not None
        fields = ("filename", "external_attr", "flag_bits", "file_size")
        try:
            self._archive = zipfile.ZipFile(file)
            listed = self._archive.infolist()
            return {"entries": [[getattr(entry, name) for name in fields] for entry in listed]}
        except (*BROKEN, OSError) as error:
            return {"broken": _reason(error)}

    def _entry(self, request: Message, _: BinaryIO | None) -> Message:
        assert self._archive is not None
        try:
            with self._archive.open(self._archive.infolist()[request["place"]]) as content:
                while chunk := content.read(CHUNK_BYTES):
                    self._channel.send_bytes(chunk)
        except (*BROKEN, OSError) as error:
            return {"broken": _reason(error)}
        return {}


def _opened(request: Message) -> InstrumentSource:
    """Open a source as `DecodingOpener` asks: any kind, the SFZ files of a folder, or banks of a SoundFont."""
    from index.sources.opening import open_source
    from index.sources.sfz.source import SfzSource
    from index.sources.soundfont import SoundFontSource

    path, kind = Path(request["path"]), request["as"]
    if isinstance(kind, list):
        return SoundFontSource(path, set(kind))
    return SfzSource(path) if kind == "sfz" else open_source(path)


def _described(instrument: SourceInstrument) -> list[Any]:
    return [
        instrument.id,
        instrument.name,
        instrument.family,
        instrument.source,
        instrument.licence,
        instrument.playable_range,
    ]


def _with_array(instrument: SourceInstrument, samples: Floats, sample_rate: int) -> Message:
    return {
        "shape": samples.shape,
        "sample_rate": sample_rate,
        "faults": instrument.faults,
        "array": samples,
    }


def _as_message(error: ShowMeError) -> Message:
    return {
        "slug": error.slug,
        "message": error.message,
        "value": _plain(error.value),
        "limit": _plain(error.limit),
    }


def _plain(value: object) -> object:
    """Return the value as JSON has it; NaN and infinity are words there."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _reason(error: BaseException) -> str:
    """Say what is wrong with an archive; the text of a system error would name our folders."""
    return (error.strerror or "an unknown fault") if isinstance(error, OSError) else str(error)


def _code() -> list[Path]:
    """Return where Python and our own modules are, which may be read as they are needed."""
    ours = Path(__file__).parents[2]
    paths = {Path(path) for path in sysconfig.get_paths().values() if path}
    paths |= {
        Path(path)
        for path in sys.path
        if path and Path(path) != ours and not (Path(path) / "models/audio.py").exists()
    }
    return [
        *paths,
        ours / "models",
        ours / "index",
        *map(Path, ("/lib", "/lib64", "/usr/lib", "/dev/urandom")),
    ]


_held: list[str] = []


def main(descriptor: int) -> None:
    """Serve the channel on an open file of this process."""
    connection = socket.socket(fileno=descriptor)
    try:
        _Worker(Channel(connection)).serve()
    except ChannelClosed:
        connection.close()


if __name__ == "__main__":
    _held = [*sandbox.limit_resources(int(sys.argv[2])), *sandbox.refuse_system_calls()]
    main(int(sys.argv[1]))
