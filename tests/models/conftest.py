"""Fixtures of the model tests: one song in every format."""

import numpy as np
import pytest

from tests.models.audio_files import ALL_FORMATS, SOUNDFILE_FORMATS, aac_file, file_of, sine


@pytest.fixture(scope="session")
def song() -> dict[str, bytes]:
    """The same eight seconds of rising notes in every format, stereo with unequal channels."""
    files = {}
    for kind in ALL_FORMATS:
        sample_rate = SOUNDFILE_FORMATS[kind][2] if kind in SOUNDFILE_FORMATS else 44_100
        left = np.concatenate([sine(0.5, sample_rate, 220.0 * 2 ** (step / 12)) for step in range(16)])
        stereo = np.stack([left, 0.5 * left], axis=1)
        if kind in SOUNDFILE_FORMATS:
            files[kind] = file_of(stereo, sample_rate, kind).getvalue()
        else:
            files[kind] = aac_file(stereo, sample_rate, {"m4a": "mp4", "aac": "adts"}[kind]).getvalue()
    return files
