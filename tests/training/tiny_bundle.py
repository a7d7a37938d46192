"""Writes a TensorFlow 1 checkpoint as TensorFlow does: an index of two blocks of sorted keys, and one file of values."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.recognition.tensorflow_bundle import MAGIC

FLOAT32, INT64 = 1, 9


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    """A protobuf field: a whole number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(rows: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A block of a table with one restart, followed by its trailer: uncompressed, a checksum of nothing."""
    out, last = b"", b""
    for key, value in rows:
        shared = next((place for place, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), None)
        shared = min(len(key), len(last)) if shared is None else shared
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1) + b"\0" + bytes(4)


def write_bundle(tensors: Mapping[str, np.ndarray], index: Path, values: Path) -> None:
    data, rows = b"", [(b"", field(1, 1))]
    for name in sorted(tensors):
        value = tensors[name]
        dims = b"".join(field(2, field(1, size)) for size in value.shape)
        kind = FLOAT32 if value.dtype == np.float32 else INT64
        entry = field(1, kind) + field(2, dims) + field(4, len(data)) + field(5, value.nbytes)
        rows.append((name.encode(), entry + varint(6 << 3 | 5) + bytes(4)))  # with a checksum of nothing
        data += value.tobytes()
    table, handles = b"", []
    for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        written = block(part)
        handles.append((part[-1][0] + b"~", varint(len(table)) + varint(len(written) - 5)))
        table += written
    written = block(handles)
    footer = varint(0) + varint(0) + varint(len(table)) + varint(len(written) - 5)
    index.write_bytes(table + written + footer.ljust(40, b"\0") + MAGIC)
    values.write_bytes(data)
