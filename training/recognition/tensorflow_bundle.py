"""Reads the tensors of a TensorFlow 1 checkpoint (format V2) without TensorFlow: an index and one file of values.

The index is a table of sorted keys in LevelDB's format, uncompressed: blocks of entries whose keys share the beginning of the
one before, an index block that names the blocks, and a footer that names the index block. Each value is a `BundleEntryProto` of
TensorFlow's `tensor_bundle.proto`: type, shape, and the place of the bytes. Only float32 in one file is read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError

Floats = NDArray[np.float32]

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER_BYTES, TRAILER_BYTES = 48, 5
FLOAT32 = 1  # as `DataType` counts
VARINT, BYTES_8, LENGTH_DELIMITED, BYTES_4 = 0, 1, 2, 5  # protobuf's wire types


@dataclass(frozen=True)
class _BundleEntry:
    dtype: int
    shape: tuple[int, ...]
    offset: int
    size: int


def read_bundle(index: Path, values: Path) -> dict[str, Floats]:
    """The float32 tensors of a checkpoint by name. Raises TrainingError if a file is no such checkpoint, naming it."""
    try:
        entries = dict(_entries(index.read_bytes()))
        data = values.read_bytes()
        return {name: _tensor(name, one, data) for name, one in entries.items() if one.dtype == FLOAT32}
    except (OSError, ValueError, IndexError, struct.error) as error:
        message = f"{index} and {values.name} are no readable TensorFlow checkpoint: {error}"
        raise TrainingError(message, value=str(index)) from error


def _tensor(name: str, entry: _BundleEntry, data: bytes) -> Floats:
    if entry.size != 4 * int(np.prod(entry.shape)) or entry.offset + entry.size > len(data):
        raise ValueError(f"{name} of shape {entry.shape} does not fit {entry.size} bytes at {entry.offset}")
    flat = np.frombuffer(data, "<f4", entry.size // 4, entry.offset)
    return flat.reshape(entry.shape).astype(np.float32)


def _entries(table: bytes) -> Iterator[tuple[str, _BundleEntry]]:
    """The tensors that an index names; its first key, the empty one, holds the header."""
    if table[-len(MAGIC) :] != MAGIC:
        raise ValueError("the index ends with another number than a table does")
    footer = table[-FOOTER_BYTES:]
    place = 0
    for _ in range(2):  # the handle of the metadata, which is passed over
        _, place = _varint(footer, place)
    for _, handle in _block(table, *_handle(footer, place)):
        for key, value in _block(table, *_handle(handle, 0)):
            if key:
                yield key.decode(), _entry(value)


def _handle(data: bytes, place: int) -> tuple[int, int]:
    """The offset and the size of a block."""
    offset, place = _varint(data, place)
    size, _ = _varint(data, place)
    return offset, size


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block; behind its entries lie the numbers of its restarts."""
    block = table[offset : offset + size]
    if len(block) != size or table[offset + size : offset + size + 1] != b"\0":
        raise ValueError("a block is cut off or compressed")
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    place, end, key = 0, size - 4 * (restarts + 1), b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


def _entry(message: bytes) -> _BundleEntry:
    """A `BundleEntryProto`: 1 type, 2 shape, 4 offset, 5 size."""
    numbers, shape = dict[int, int](), tuple[int, ...]()
    for field, value in _fields(message):
        if isinstance(value, int):
            numbers[field] = value
        elif field == 2:
            sizes = [
                dict(_fields(dim)) for number, dim in _fields(value) if number == 2 and isinstance(dim, bytes)
            ]
            shape = tuple(size for one in sizes if isinstance(size := one.get(1, 0), int))
    return _BundleEntry(numbers.get(1, 0), shape, numbers.get(4, 0), numbers.get(5, 0))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message by number: whole numbers and bytes; numbers of fixed width as bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == LENGTH_DELIMITED:
            length, place = _varint(message, place)
        elif kind in (BYTES_8, BYTES_4):
            length = 8 if kind == BYTES_8 else 4
        else:
            raise ValueError(f"a message has a field of the unknown type {kind}")
        yield number, message[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number of variable length at `place`, and the place behind it."""
    value, shift = 0, 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
