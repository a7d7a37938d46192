"""The published folders of Nlakh, scanned: which WAV files there are, of which instrument, in which mixture.

Section 4 of Kim et al. 2022: `train/001/0001.wav` and `train/000001/124.wav … mix.wav`. Names are read as numbers however
wide they are, and nothing but the folders is needed, so that the published data and ours are read by the same code.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.layouts import MIX_FILE


@dataclass(frozen=True)
class Folder:
    """A numbered folder and its numbered WAV files, by number."""

    number: int
    path: Path
    files: tuple[tuple[int, str], ...]  # (number, file name)
    has_mix: bool


def scan(folder: Path) -> Iterator[Folder]:
    """The numbered folders below `folder`, by number; anything else in them is passed over.

    Raises TrainingError when `folder` cannot be listed.
    """
    try:
        numbered = sorted((int(name), name) for name in _names(folder) if name.isdecimal())
        for number, name in numbered:
            names = _names(folder / name)
            files = sorted((int(stem), f"{stem}.wav") for stem in map(_wav_stem, names) if stem.isdecimal())
            yield Folder(number, folder / name, tuple(files), MIX_FILE in names)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be listed: {error.strerror}", value=str(folder)) from error


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _wav_stem(name: str) -> str:
    return name[:-4] if name.endswith(".wav") else ""


def read_wav(path: Path, clip_samples: int | None = None) -> tuple[NDArray[np.int16], int]:
    """int16 samples `[clip_samples]` and their rate. Raises TrainingError, naming the file, if it is anything else."""
    try:
        with soundfile.SoundFile(path) as file:
            if file.channels != 1 or (clip_samples is not None and file.frames != clip_samples):
                found = f"{file.frames} samples, {file.channels} channels"
                wanted = f"{clip_samples} samples, 1 channel"
                raise TrainingError(f"{path} holds {found}, not {wanted}", value=found, limit=wanted)
            samples: NDArray[np.int16] = file.read(dtype="int16")
            if len(samples) != file.frames:
                raise TrainingError(f"{path} is cut short", value=len(samples), limit=file.frames)
            return samples, file.samplerate
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error
