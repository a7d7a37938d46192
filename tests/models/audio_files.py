"""Encoded audio files for the tests, made in memory."""

import io

import av
import numpy as np
import soundfile as sf

RATE = 16_000
SOUNDFILE_FORMATS = {
    "wav": ("WAV", "PCM_16", 44_100),
    "aiff": ("AIFF", "PCM_24", 44_100),
    "flac": ("FLAC", "PCM_16", 44_100),
    "ogg": ("OGG", "VORBIS", 44_100),
    "opus": ("OGG", "OPUS", 48_000),
    "mp3": ("MP3", "MPEG_LAYER_III", 44_100),
}
ALL_FORMATS = (*SOUNDFILE_FORMATS, "m4a", "aac")


def sine(seconds: float, sample_rate: int, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * sample_rate)) / sample_rate)).astype(
        np.float32
    )


def file_of(
    samples: np.ndarray, sample_rate: int, kind: str = "wav", subtype: str | None = None
) -> io.BytesIO:
    """Encode float samples [samples] or [samples, channels] as a file."""
    out = io.BytesIO()
    container, codec, _ = SOUNDFILE_FORMATS[kind]
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with sf.SoundFile(out, "w", sample_rate, channels, format=container, subtype=subtype or codec) as file:
        for start in range(
            0, len(samples), 8192
        ):  # libsndfile's Vorbis writer overflows its stack on long blocks
            file.write(samples[start : start + 8192])
    return out


def aac_file(samples: np.ndarray, sample_rate: int, container: str) -> io.BytesIO:
    """Encode AAC in an m4a (`mp4`) or bare (`adts`), from samples [samples, 2 or 8]."""
    out = io.BytesIO()
    layout = {2: "stereo", 8: "7.1"}[samples.shape[1]]
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("aac", rate=sample_rate, layout=layout)
        for start in range(0, len(samples), 1024):
            block = samples[start : start + 1024].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
            frame.sample_rate, frame.pts = sample_rate, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out
