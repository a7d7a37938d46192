"""Reads a zip through a decode worker, which decompresses it; names and sizes are for the caller to judge."""

import lzma
import zipfile
import zlib

from index.decoding.channel import BYTES, JSON, Message, ProtocolError
from index.decoding.connection import WorkerConnection

BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError),
    *(ValueError, OverflowError, LookupError),
)


class RemoteZip:
    """The part of `zipfile.ZipFile` that unpacking needs. One entry is read at a time, to its end."""

    def __init__(self, worker: WorkerConnection, name: str, entries: list[zipfile.ZipInfo]) -> None:
        self._worker = worker
        self._name = name
        self._entries = entries
        self._place_of = {id(entry): place for place, entry in enumerate(entries)}

    def infolist(self) -> list[zipfile.ZipInfo]:
        """Return the entries as the zip states them."""
        return self._entries

    def open(self, entry: zipfile.ZipInfo) -> "RemoteEntry":
        """Return the content of an entry of `infolist`."""
        return RemoteEntry(self._worker, self._name, self._place_of[id(entry)])


class RemoteEntry:
    """The content of one entry, decompressed while it is read. Raises BadZipFile for a damaged one."""

    def __init__(self, worker: WorkerConnection, name: str, place: int) -> None:
        self._worker = worker
        self._name = name
        self._ended = False
        with worker.working(name) as channel:
            channel.send({"do": "entry", "place": place})

    def read(self) -> bytes:
        """Return the next piece, whatever its size; empty at the end."""
        if self._ended:
            return b""
        with self._worker.working(self._name, same_work=True) as channel:
            kind, size = channel.head()
            if kind == BYTES:
                return channel.bytes_of(size)
            if kind != JSON:
                raise ProtocolError("samples in a zip")
            answer = channel.message(size)
        self._ended = True
        checked(self._worker.checked(answer, self._name))
        return b""

    def __enter__(self) -> "RemoteEntry":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:  # the rest would be taken for an answer
            self._worker.close()


def read_entries(worker: WorkerConnection, name: str, descriptor: int) -> list[zipfile.ZipInfo]:
    """Return the entries of the zip in an open file. Raises BadZipFile."""
    answer = checked(worker.request({"do": "entries"}, name, descriptor))
    with worker.working(name):
        return [_entry_of(fields) for fields in answer.get("entries", ())]


def checked(answer: Message) -> Message:
    """Return an answer about a zip. Raises BadZipFile if it says that the zip is broken."""
    if "broken" in answer:
        raise zipfile.BadZipFile(str(answer["broken"]))
    return answer


def _entry_of(fields: object) -> zipfile.ZipInfo:
    match fields:
        case [str(name), int(external_attr), int(flag_bits), int(file_size)] if name and file_size >= 0:
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.flag_bits, entry.file_size = external_attr, flag_bits, file_size
            return entry
    raise ProtocolError("an entry of no zip")
