"""Writes small SFZ instruments for the tests: a text beside its samples, sines by default.

The `smpl` chunk of `write_looped_wav` follows Microsoft's description of the RIFF WAVE sampler chunk.
"""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import ArrayLike

from index.sources.base import Floats, Note
from index.sources.sfz.paths import SfzTree
from index.sources.sfz.reader import SfzFile, read_sfz
from index.sources.sfz.source import SfzInstrument, SfzSource

RATE = 16_000  # hz
C4_HZ = 261.6256


def sine(hz: float = C4_HZ, seconds: float = 1.0, sample_rate: int = RATE) -> Floats:
    """Return a sine `[samples]` with a peak of 0.5."""
    at = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def write_sfz(
    folder: Path, text: str, samples: Mapping[str, ArrayLike] | None = None, name: str = "a.sfz"
) -> Path:
    """Write `text` as `name` and `samples` (path → waveform at 16 kHz, `c4.wav` if None) into `folder`."""
    for sample, wave in ({"c4.wav": sine()} if samples is None else samples).items():
        (folder / sample).parent.mkdir(parents=True, exist_ok=True)
        sf.write(
            folder / sample, np.asarray(wave), RATE, subtype="FLOAT" if sample.endswith(".wav") else None
        )
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_looped_wav(path: Path, wave: Floats, loop: tuple[int, int] | None, unity_note: int = 60) -> Path:
    """Write a WAV whose `smpl` chunk names a key and a loop (first, last sample)."""
    sf.write(path, wave, RATE, subtype="PCM_16")
    loops = b"" if loop is None else struct.pack("<6I", 0, 0, *loop, 0, 0)
    chunk = struct.pack("<9I", 0, 0, 0, unity_note, 0, 0, 0, 0 if loop is None else 1, 0) + loops
    data = path.read_bytes() + b"smpl" + struct.pack("<I", len(chunk)) + chunk
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


def read(path: Path, root: Path | None = None) -> SfzFile:
    return read_sfz(path, SfzTree(root or path.parent))


def instrument(path: Path) -> SfzInstrument:
    """Return the only instrument of a source."""
    (only,) = SfzSource(path)
    return only


def played(path: Path, *notes: Note, seconds: float = 1.0) -> Floats:
    return instrument(path).play(notes, seconds, RATE)


def one_region(folder: Path, opcodes: str, *notes: Note, seconds: float = 1.0) -> Floats:
    """Play a region of `c4.wav` with these opcodes: middle C at full velocity unless notes are given."""
    path = write_sfz(folder, f"<region> sample=c4.wav {opcodes}")
    return played(path, *(notes or (Note(60, 127, 0.0, 1.0),)), seconds=seconds)


def hz_of(samples: Floats, sample_rate: int = RATE) -> float:
    """Return the strongest frequency by parabolic interpolation between the bins of a windowed spectrum."""
    spectrum = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-9)
    peak = int(spectrum[1:-1].argmax()) + 1
    left, middle, right = spectrum[peak - 1 : peak + 2]
    return float((peak + 0.5 * (left - right) / (left - 2 * middle + right)) * sample_rate / len(samples))


def level_db(samples: Floats) -> float:
    """RMS in dB relative to full scale."""
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-20))
