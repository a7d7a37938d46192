"""How takes lie on disk: the published folders of WAV files, or shards of int16 rows for training.

Section 4 of Kim et al. 2022 publishes `train/001/0001.wav` (Nlakh-single) and `train/000001/124.wav … mix.wav` (Nlakh-multi).
The compact form holds the same samples as `train/shard_00000.npy`; a mixture is its stems, so it is not stored.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from models.atomic import PARTIAL, atomic_file
from training.nlakh.dataset import Unit
from training.nlakh.plan import Job, Request
from training.nlakh.takes import Samples, Take, mix

MIX_FILE = "mix.wav"
HEADER_BYTES = 128  # of a shard: numpy leaves room for the number of rows to grow


@dataclass(frozen=True)
class Written:
    """A finished unit, the instruments of each of its mixtures (Nlakh-multi only), and what was found damaged."""

    unit: Unit
    mixtures: tuple[tuple[int, ...], ...] = ()
    faults: tuple[tuple[str, str], ...] = ()


class Checksum:
    """The sha256 of a unit: its samples in order, and before those of a mixture who plays in it."""

    def __init__(self, is_multi: bool) -> None:
        self._is_multi, self._digest = is_multi, hashlib.sha256()

    def begin(self, players: Sequence[int]) -> None:
        """The next take, by the numbers of its instruments."""
        if self._is_multi:
            self._digest.update(np.array([len(players), *players], "<i4").data)

    def add(self, samples: Samples) -> None:
        """The next samples, int16 of any shape."""
        self._digest.update(samples.astype("<i2", copy=False).data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _Tally:
    """What is remembered of a unit while it is written."""

    def __init__(self, place: str, is_multi: bool) -> None:
        self._place, self._is_multi = place, is_multi
        self._checksum, self.items = Checksum(is_multi), 0
        self._mixtures: list[tuple[int, ...]] = []

    def add(self, take: Take) -> None:
        players = tuple(part.instrument for part in take.parts)
        self._checksum.begin(players)
        for part in take.parts:
            self._checksum.add(part.samples)
        self.items += len(take.parts)
        if self._is_multi:
            self._mixtures.append(players)

    def written(self) -> Written:
        return Written(Unit(self._place, self.items, self._checksum.hexdigest()), tuple(self._mixtures))


def write_unit(
    request: Request, folder: Path, job: Job, takes: Iterator[Take], done: Callable[[], None]
) -> Written:
    """Render a unit into its place; it appears whole or not at all. `done` hears of each take."""
    tally = _Tally(job.place, request.kind == "multi")
    if request.layout == "compact":
        with atomic_file(folder / job.place) as file:
            _write_shard(file, request, takes, tally, done)
    else:
        _write_folders(folder, request, job, takes, tally, done)
    return tally.written()


def shard_header(rows: int, clip_samples: int) -> bytes:
    """The first 128 bytes of a shard: those of a .npy file of int16 `[rows, clip_samples]`."""
    about = f"{{'descr': '<i2', 'fortran_order': False, 'shape': ({rows}, {clip_samples}), }}"
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + about.encode().ljust(HEADER_BYTES - 11) + b"\n"


def _write_shard(
    file: BinaryIO, request: Request, takes: Iterator[Take], tally: _Tally, done: Callable[[], None]
) -> None:
    file.write(shard_header(0, request.clip_samples))
    for take in takes:
        tally.add(take)
        for part in take.parts:
            file.write(part.samples.astype("<i2", copy=False).data)
        done()
    file.seek(0)
    file.write(shard_header(tally.items, request.clip_samples))


def _write_folders(
    folder: Path,
    request: Request,
    job: Job,
    takes: Iterator[Take],
    tally: _Tally,
    done: Callable[[], None],
) -> None:
    """WAV files, made beside their place and moved there when the unit is whole."""
    split = folder / job.split
    partial = split / f".{job.record}{PARTIAL}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for take in takes:
            tally.add(take)
            for path, samples in _files(partial, request.kind == "multi", take):
                _write_wav(path, samples, request.sample_rate)
            done()
        made = [partial] if request.kind == "single" else sorted(partial.iterdir())
        for path in made:
            target = folder / job.place if request.kind == "single" else split / path.name
            shutil.rmtree(
                target, ignore_errors=True
            )  # of a run that was killed between moving and remembering
            path.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _files(partial: Path, is_multi: bool, take: Take) -> Iterator[tuple[Path, Samples]]:
    if not is_multi:
        yield partial / f"{take.number:04d}.wav", take.parts[0].samples
        return
    mixture = partial / f"{take.number:06d}"
    for part in take.parts:
        yield mixture / f"{part.instrument:03d}.wav", part.samples
    yield mixture / MIX_FILE, mix(take.parts)


def _write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    encoded = BytesIO()  # soundfile swallows what goes wrong in writing to a file of ours
    soundfile.write(encoded, samples, sample_rate, format="WAV", subtype="PCM_16")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(encoded.getbuffer())
        file.flush()
        os.fsync(file.fileno())
