"""What a WAV file's `smpl` chunk says of itself: where it loops, and at which key it was recorded.

Follows Microsoft's "New Multimedia Data Types" (the sampler chunk of RIFF WAVE); nothing that the headers say is trusted.
"""

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

_HEADER_BYTES = 36
_LOOP_BYTES = 24
_FORWARD = 0
_MAX_CHUNKS = 1000


class SamplerInfo(NamedTuple):
    """`loop` is (start, end) in samples, end exclusive; None where the file says nothing usable."""

    loop: tuple[int, int] | None
    keycenter: float | None  # MIDI pitch with its fraction


NOTHING = SamplerInfo(None, None)


def read_sampler_info(path: Path) -> SamplerInfo:
    """The first forward loop and the key of a WAV file; nothing for other files and damaged ones. Raises OSError."""
    with path.open("rb") as file:
        chunk = _sampler_chunk(file)
    if len(chunk) < _HEADER_BYTES:
        return NOTHING
    unity_note, fraction = struct.unpack_from("<II", chunk, 12)
    keycenter = (
        unity_note + fraction / 2**32 if 0 < unity_note < 128 else None
    )  # 0 is what editors leave there
    (num_loops,) = struct.unpack_from("<I", chunk, 28)
    for number in range(min(num_loops, (len(chunk) - _HEADER_BYTES) // _LOOP_BYTES)):
        kind, start, last = struct.unpack_from("<III", chunk, _HEADER_BYTES + number * _LOOP_BYTES + 4)
        if kind == _FORWARD and start < last:
            return SamplerInfo((start, last + 1), keycenter)
    return SamplerInfo(None, keycenter)


def _sampler_chunk(file: BinaryIO) -> bytes:
    """The content of the chunk `smpl`, its first loops at least; empty if there is none."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return b""
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return b""
        kind, size = struct.unpack("<4sI", header)
        if kind == b"smpl":
            return file.read(min(size, _HEADER_BYTES + 16 * _LOOP_BYTES))
        position += 8 + size + size % 2
    return b""
