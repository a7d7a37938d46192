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
    others: tuple[str, ...] = ()  # names of what else is in it


def scan(folder: Path) -> Iterator[Folder]:
    """The numbered folders below `folder`, by number; anything else is passed over.

    Raises TrainingError when one of them cannot be listed.
    """
    for number, name in sorted((int(name), name) for name in list_folder(folder) if name.isdecimal()):
        yield scan_folder(folder / name, number)


def scan_folder(folder: Path, number: int) -> Folder:
    """Raises TrainingError when it cannot be listed."""
    names = set(list_folder(folder))
    files = {name: int(name[:-4]) for name in names if name.endswith(".wav") and name[:-4].isdecimal()}
    by_number = tuple(sorted((number, name) for name, number in files.items()))
    others = tuple(sorted(names - files.keys() - {MIX_FILE}))
    return Folder(number, folder, by_number, MIX_FILE in names, others)


def list_folder(folder: Path) -> list[str]:
    """The names in a folder, sorted. Raises TrainingError when it cannot be listed."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, a million of them
    except OSError as error:
        raise TrainingError(f"{folder} cannot be listed: {error.strerror}", value=str(folder)) from error


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
