"""Writes small SoundFonts for the tests: a few looped timbres, as .sf2 (PCM) or .sf3 (each sample an Ogg stream).

Follows the SoundFont 2.04 specification, with only the parts that a synthesiser needs.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

SAMPLE_RATE = 22_050
PERIODS = 40
PERIOD_SAMPLES = 84  # 262.5 Hz: middle C
MIDDLE_C = 60
GENERATOR_KEY_RANGE, GENERATOR_SAMPLE_MODES, GENERATOR_SAMPLE, GENERATOR_INSTRUMENT = 43, 54, 53, 41


@dataclass(frozen=True)
class Patch:
    """One preset with one looped sample: `partials` are the amplitudes of its harmonics.

    `keys` is the range of its instrument, `preset_keys` its own range; None states no range.
    """

    name: str
    bank: int
    program: int
    partials: tuple[float, ...]
    keys: tuple[int, int] = (0, 127)
    preset_keys: tuple[int, int] | None = None


PATCHES = (
    Patch("Pure", 0, 0, (1.0,)),
    Patch("Hollow Clarinet", 0, 1, (1.0, 0.0, 0.7, 0.0, 0.5, 0.0, 0.3)),
    Patch("Bright Saw Lead", 0, 2, tuple(1.0 / n for n in range(1, 30))),
    Patch("Fifths Organ", 0, 3, (0.1, 1.0, 1.0, 0.0, 0.0, 0.8)),
    Patch("Only High Bells", 0, 4, (1.0, 0.2, 0.0, 0.6), keys=(70, 127)),
    Patch("Variation Bass", 8, 0, (1.0, 0.6, 0.1)),
    Patch("Standard", 128, 0, (0.3, 0.1, 0.9, 0.4, 0.8)),
)
SILENT = Patch("Nothing", 0, 9, (0.0,))


def write_soundfont(path: Path, patches: tuple[Patch, ...] = PATCHES, *, compressed: bool = False) -> Path:
    """Write `patches` to `path`; return `path`."""
    path.write_bytes(soundfont_bytes(patches, compressed=compressed))
    return path


def soundfont_bytes(
    patches: tuple[Patch, ...] = PATCHES, *, compressed: bool = False, copyright_note: bytes | None = None
) -> bytes:
    """Return the whole file; `copyright_note` becomes INFO's ICOP."""
    samples = [
        _compress(_wave(patch)) if compressed else _wave(patch).tobytes() + bytes(92) for patch in patches
    ]
    number = len(patches)
    preset_zones = [_preset_zone(i, patch) for i, patch in enumerate(patches)]
    starts = np.cumsum([0, *(len(zone) // 4 for zone in preset_zones)])
    tables = {
        b"phdr": [
            _name(p.name) + struct.pack("<HHHIII", p.program, p.bank, i, 0, 0, 0)
            for i, p in enumerate(patches)
        ]
        + [_name("EOP") + struct.pack("<HHHIII", 0, 0, number, 0, 0, 0)],
        b"pbag": [struct.pack("<HH", start, 0) for start in starts],
        b"pmod": [bytes(10)],
        b"pgen": [*preset_zones, bytes(4)],
        b"inst": [_name(p.name) + struct.pack("<H", i) for i, p in enumerate(patches)]
        + [_name("EOI") + struct.pack("<H", number)],
        b"ibag": [struct.pack("<HH", 3 * i, 0) for i in range(number + 1)],
        b"imod": [bytes(10)],
        b"igen": [_zone(i, patch) for i, patch in enumerate(patches)] + [bytes(4)],
        b"shdr": [*_sample_headers(patches, samples, compressed), _name("EOS") + bytes(26)],
    }
    notes = [] if copyright_note is None else [_chunk(b"ICOP", copyright_note)]
    information = _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 3 if compressed else 2, 1)), *notes)
    data = b"".join(samples)
    hydra = _list(b"pdta", *(_chunk(name, b"".join(rows)) for name, rows in tables.items()))
    return _chunk(
        b"RIFF", b"sfbk" + information + _list(b"sdta", _chunk(b"smpl", data + bytes(len(data) % 2))) + hydra
    )


def _wave(patch: Patch) -> np.ndarray:
    phase = 2.0 * np.pi * np.arange(PERIODS * PERIOD_SAMPLES) / PERIOD_SAMPLES
    wave = sum(a * np.sin((n + 1) * phase) for n, a in enumerate(patch.partials))
    return np.asarray(wave / max(1e-9, np.abs(wave).max()) * 16_000, "<i2")


def _compress(wave: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, wave, SAMPLE_RATE, format="OGG", subtype="VORBIS")
    return buffer.getvalue()


def _sample_headers(patches: tuple[Patch, ...], samples: list[bytes], compressed: bool) -> list[bytes]:
    """Bounds count bytes of the stream when compressed (loops count from the sample's start), else samples."""
    headers, position = [], 0
    for patch, data in zip(patches, samples, strict=True):
        unit = 1 if compressed else 2
        start, end = position // unit, (position + len(data)) // unit - (0 if compressed else 46)
        loop = (0 if compressed else start) + PERIOD_SAMPLES
        loop_end = loop + (PERIODS - 2) * PERIOD_SAMPLES
        bounds = struct.pack("<IIIII", start, end, loop, loop_end, SAMPLE_RATE)
        headers.append(
            _name(patch.name) + bounds + struct.pack("<BbHH", MIDDLE_C, 0, 0, 0x11 if compressed else 1)
        )
        position += len(data)
    return headers


def _preset_zone(instrument: int, patch: Patch) -> bytes:
    keys = b"" if patch.preset_keys is None else struct.pack("<HBB", GENERATOR_KEY_RANGE, *patch.preset_keys)
    return keys + struct.pack("<HH", GENERATOR_INSTRUMENT, instrument)


def _zone(sample: int, patch: Patch) -> bytes:
    keys = struct.pack("<HBB", GENERATOR_KEY_RANGE, *patch.keys)
    return keys + struct.pack("<HHHH", GENERATOR_SAMPLE_MODES, 1, GENERATOR_SAMPLE, sample)


def _name(text: str) -> bytes:
    return text.encode("latin-1")[:19].ljust(20, b"\0")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _list(kind: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", kind + b"".join(chunks))
