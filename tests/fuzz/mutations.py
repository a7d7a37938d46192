"""Damages files as hostile and broken senders do: flipped bits, extreme fields, cuts, splices, playlists behind a true head."""

import struct
from collections.abc import Callable, Sequence

import numpy as np

MAX_MUTATIONS = 5
HEADER_BYTES = 512
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)
Mutation = Callable[[np.random.Generator, bytearray, Sequence[bytes]], None]


def mutated(rng: np.random.Generator, seed: bytes, others: Sequence[bytes]) -> bytes:
    """Return `seed` after one to five mutations; splices take parts of `others`."""
    content = bytearray(seed)
    for _ in range(int(rng.integers(1, MAX_MUTATIONS + 1))):
        MUTATIONS[int(rng.integers(len(MUTATIONS)))](rng, content, others)
    return bytes(content)


def with_checksums(content: bytes) -> bytes:
    """Return an Ogg stream, or a SoundFont of such, with true checksums of its pages: a decoder would drop the others."""
    mended = bytearray(content)
    at = mended.find(b"OggS")
    while 0 <= at <= len(mended) - 27:
        lengths = mended[at + 27 : at + 27 + mended[at + 26]]
        end = min(len(mended), at + 27 + len(lengths) + sum(lengths))
        mended[at + 22 : at + 26] = bytes(4)
        struct.pack_into("<I", mended, at + 22, _checksum(mended[at:end]))
        at = mended.find(b"OggS", max(end, at + 27))
    return bytes(mended)


def _checksum(page: bytearray) -> int:
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value


def _table() -> list[int]:
    """Return the CRC-32 of each byte by Ogg's polynomial (RFC 3533)."""
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = ((value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return table


_TABLE = _table()


def _flip_bits(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    for _number in range(int(rng.integers(1, 9))):
        if content:
            content[_place(rng, content)] ^= 1 << int(rng.integers(8))


def _set_field(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    """Write an extreme number over one, two, four or eight bytes, mostly of the header."""
    size = int(rng.choice([1, 2, 4, 8]))
    if len(content) < size:
        return
    end = min(len(content), HEADER_BYTES) if rng.random() < 0.8 else len(content)
    at = int(rng.integers(0, max(1, end - size + 1)))
    value = EXTREMES[int(rng.integers(len(EXTREMES)))] & (256**size - 1)
    content[at : at + size] = value.to_bytes(size, "little" if rng.random() < 0.5 else "big")


def _set_size(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    """Change a number of four bytes a little, as lengths and counts are that lie."""
    if len(content) >= 4:
        at = int(rng.integers(0, len(content) - 3))
        form = "<I" if rng.random() < 0.5 else ">I"
        (value,) = struct.unpack_from(form, content, at)
        struct.pack_into(form, content, at, (value + int(rng.integers(-16, 17))) & 0xFFFFFFFF)


def _truncate(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    del content[int(rng.integers(0, len(content) + 1)) :]


def _delete(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    start, end = _slice(rng, content)
    del content[start:end]


def _repeat(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    start, end = _slice(rng, content)
    content[start:start] = content[start:end] * int(rng.integers(1, 5))


def _noise(rng: np.random.Generator, content: bytearray, _: Sequence[bytes]) -> None:
    start, end = _slice(rng, content)
    content[start:end] = rng.bytes(end - start)


def _splice(rng: np.random.Generator, content: bytearray, others: Sequence[bytes]) -> None:
    other = others[int(rng.integers(len(others)))]
    start, end = _slice(rng, bytearray(other))
    at = int(rng.integers(0, len(content) + 1))
    if rng.random() < 0.5:
        content[at:at] = other[start:end]
    else:
        content[at : at + end - start] = other[start:end]


def _place(rng: np.random.Generator, content: bytearray) -> int:
    return int(rng.integers(min(len(content), HEADER_BYTES) if rng.random() < 0.5 else len(content)))


def _slice(rng: np.random.Generator, content: bytearray) -> tuple[int, int]:
    start = int(rng.integers(0, len(content) + 1))
    return start, min(len(content), start + int(2 ** rng.uniform(0, 12)))


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip_bits, _set_field, _set_field, _set_size),
    *(_truncate, _delete, _repeat, _noise, _splice),
)
