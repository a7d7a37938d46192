"""Writes rendered items to disk: the published folders of WAV files, or shards of int16 rows for training.

Section 4 of Kim et al. 2022 publishes `train/001/0001.wav` (Nlakh-single) and `train/000001/124.wav … mix.wav` (Nlakh-multi).
The compact layout holds the same samples as `train/shard_00000.npy`; it stores a mixture's stems alone, with two tables that
say whose they are and where each mixture begins.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from models.atomic import PARTIAL, atomic_file
from training.nlakh.rendered import RenderedItem, Samples, UnitRecord, UnitTally, mix
from training.nlakh.spec import PlannedUnit, RenderSpec

MIX_FILE = "mix.wav"
STEMS_FILE = "stems.npy"  # int32 [stems]: the instrument number of each row of a split's shards
MIXTURES_FILE = "mixtures.npy"  # int64 [mixtures + 1]: the rows of mixture m run from its entry to the next
HEADER_BYTES = 128  # of a shard: numpy leaves room for the number of rows to grow


def write_unit(
    spec: RenderSpec, folder: Path, unit: PlannedUnit, items: Iterator[RenderedItem], done: Callable[[], None]
) -> UnitRecord:
    """Render a unit into its place; it appears whole or not at all. `done` is called after each item."""
    tally = UnitTally(unit.place, spec.is_multi, spec.sample_rate if spec.production else None)

    def counted() -> Iterator[RenderedItem]:
        for item in items:
            tally.add(item)
            yield item
            done()

    if spec.layout == "compact":
        with atomic_file(folder / unit.place) as file:
            _write_shard(file, spec.clip_samples, counted())
    else:
        _write_folders(folder, spec, unit, counted())
    return tally.record()


def shard_header(rows: int, clip_samples: int) -> bytes:
    """The first 128 bytes of a shard: those of a .npy file of int16 `[rows, clip_samples]`."""
    about = f"{{'descr': '<i2', 'fortran_order': False, 'shape': ({rows}, {clip_samples}), }}"
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + about.encode().ljust(HEADER_BYTES - 11) + b"\n"


def _write_shard(file: BinaryIO, clip_samples: int, items: Iterator[RenderedItem]) -> None:
    rows = 0
    file.write(shard_header(rows, clip_samples))
    for item in items:
        for stem in item.stems:
            file.write(stem.samples.astype("<i2", copy=False).data)
        rows += len(item.stems)
    file.seek(0)
    file.write(shard_header(rows, clip_samples))


def _write_folders(folder: Path, spec: RenderSpec, unit: PlannedUnit, items: Iterator[RenderedItem]) -> None:
    """Write WAV files beside their place, and move them there once the unit is whole."""
    split = folder / unit.split
    partial = split / f".{unit.record_name}{PARTIAL}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for item in items:
            for path, samples in _wav_files(partial, spec.is_multi, item):
                _write_wav(path, samples, spec.sample_rate)
        made = sorted(partial.iterdir()) if spec.is_multi else [partial]
        for path in made:
            target = split / path.name if spec.is_multi else folder / unit.place
            # A run that was killed after moving the files and before recording the unit left them there.
            shutil.rmtree(target, ignore_errors=True)
            path.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _wav_files(partial: Path, is_multi: bool, item: RenderedItem) -> Iterator[tuple[Path, Samples]]:
    if not is_multi:
        yield partial / f"{item.number:04d}.wav", item.stems[0].samples
        return
    mixture = partial / f"{item.number:06d}"
    for stem in item.stems:
        yield mixture / f"{stem.instrument:03d}.wav", stem.samples
    yield mixture / MIX_FILE, mix(item.stems)


def _write_wav(path: Path, samples: Samples, sample_rate: int) -> None:
    encoded = BytesIO()  # soundfile hides errors of writing to a file object of ours
    soundfile.write(encoded, samples, sample_rate, format="WAV", subtype="PCM_16")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(encoded.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def write_tables(folder: Path, mixtures: list[tuple[int, ...]]) -> None:
    """Write the two tables of a compact split; `mixtures` are the instrument numbers of each mixture, in order."""
    tables = {
        STEMS_FILE: np.concatenate([np.array(row, np.int32) for row in mixtures]),
        MIXTURES_FILE: np.cumsum([0, *(len(row) for row in mixtures)], dtype=np.int64),
    }
    for name, table in tables.items():
        with atomic_file(folder / name) as file:
            np.save(file, table, allow_pickle=False)
