"""Audio files for the tests, made of decaying harmonic tones: the bytes that a client would upload.

Files are small, and written by libsndfile like those of many users.
"""

import io
import zipfile

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

RATE = 16_000  # hz

TONES = {"Low Bass": 110.0, "Soft Flute": 330.0, "Bright Lead": 523.0, "Grand Piano": 880.0}  # name → hz


def tone(hz: float, seconds: float = 2.0, rate: int = RATE) -> NDArray[np.float32]:
    """Four notes a second with falling harmonics, float32 `[samples]`."""
    at = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hz * n * at) / n**2 for n in range(1, 5))
    return (0.25 * wave * np.exp(-6.0 * (at % 0.25))).astype(np.float32)


def audio(
    samples: NDArray[np.float32], rate: int = RATE, form: str = "WAV", subtype: str | None = None
) -> bytes:
    """Encode `samples` `[n]` or `[n, channels]` as a file."""
    file = io.BytesIO()
    sf.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def mixture(seconds: float = 3.0) -> bytes:
    """Two tones, one of them in the second half only, as wav."""
    first, second = tone(110.0, seconds), tone(523.0, seconds)
    second[: len(second) // 2] = 0
    return audio(first + second)


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of `files`, path → content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return file.getvalue()
