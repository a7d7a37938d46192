"""Unpacks a compressed SoundFont (.sf3: each sample is an Ogg stream) into a plain one in memory.

The synthesiser could decode it too, but its decoder crashes on damaged streams; libsndfile raises an error.
"""

import io
import struct

import numpy as np
from numpy.typing import NDArray

from index.sources.soundfont_file import COMPRESSED, SoundFontFile
from models.audio_tracks import open_track
from models.errors import AudioError, SourceError

MAX_SAMPLES = 256 * 1024**2  # of all samples together; large General MIDI sets have a third of it
_GAP_SAMPLES = 46  # zeros after each sample, as the specification requires


def unpack(font: SoundFontFile) -> bytes:
    """Return the same SoundFont with 16-bit samples, as the bytes of an .sf2 file.

    Raises SourceError if a sample cannot be decoded or all together are too long.
    """
    headers = font.tables[b"shdr"].copy()
    parts: list[bytes] = []
    position = 0
    with font.path.open("rb") as file:
        for header in headers[:-1]:
            file.seek(font.smpl_start + int(header["start"]))
            samples = _decode(
                file.read(int(header["end"]) - int(header["start"])), font.path.name, MAX_SAMPLES - position
            )
            header["start"], header["end"] = position, position + len(samples)
            header["loop"] = np.minimum(header["loop"], len(samples)) + position
            header["type"] &= ~COMPRESSED & 0xFFFF
            parts += [samples.tobytes(), bytes(2 * _GAP_SAMPLES)]
            position += len(samples) + _GAP_SAMPLES
    tables = {**font.tables, b"shdr": headers}
    hydra = b"".join(_chunk(name, table.tobytes()) for name, table in tables.items())
    return _chunk(
        b"RIFF",
        b"sfbk",
        _chunk(b"LIST", b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 4))),
        _chunk(b"LIST", b"sdta", _chunk(b"smpl", *parts)),
        _chunk(b"LIST", b"pdta", hydra),
    )


def _decode(stream: bytes, name: str, limit: int) -> NDArray[np.int16]:
    """Decode one sample `[samples]` at its own rate; an empty stream is an empty sample."""
    if not stream:
        return np.zeros(0, "<i2")
    try:
        track = open_track(io.BytesIO(stream), f"a sample of {name}")
        blocks = [block.mean(axis=1) for block in track.blocks(0, limit + 1)]
    except AudioError as error:
        raise SourceError(error.message, value=name) from error
    wave = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if len(wave) > limit:
        raise SourceError(f"the samples of {name} are too long", value=name, limit=f"{MAX_SAMPLES} samples")
    return np.clip(wave * 32767.0, -32768, 32767).round().astype("<i2")


def _chunk(name: bytes, *parts: bytes) -> bytes:
    return b"".join((name, struct.pack("<I", sum(map(len, parts))), *parts))
