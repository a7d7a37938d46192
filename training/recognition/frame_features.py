"""What frame-level recognition learns from: levels, pitches and classes of every frame of the recordings of a split.

Hung & Yang 2018, sections 3 and 4. Levels of the constant-Q transform and estimated pitches take time, so they are kept in a
folder, once for all networks; true pitches and classes are read from the tables of notes. All audio passes the service's rate,
16 kHz.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.atomic import atomic_file, write_atomically
from models.checkpoint import file_hash
from models.device import choose_device
from models.errors import TrainingError
from models.front_end import FrontEndConfig
from models.recognition.constant_q import FRAME_SECONDS, LOWEST_PITCH, NUM_BINS
from models.recognition.frame_level import POOLED_FRAMES, SEGMENT_FRAMES, PitchSource
from models.recognition.frame_level_recogniser import heard_levels, resampled
from models.recognition.pitch_estimator import PITCH_WEIGHTS, PitchEstimator
from training.musicnet import ScoredNote, ScoredRecording, classes_of, recordings_of

Bytes = NDArray[np.uint8]
LEVELS_FILE, PITCHES_FILE, INDEX_FILE = "levels.npy", "pitches.npy", "index.json"
VERSION = 1  # of what the files hold


@dataclass(frozen=True)
class FrameSet:
    """The frames of all recordings of a split, one after the other.

    `level [frames, 88]` float16, `estimated` and `true [frames, 88]` pitches in 0…255, `target [frames, classes]` 0 or 1; the
    recording `ids[i]` has the frames `starts[i]` to `starts[i + 1]`.
    """

    ids: tuple[str, ...]
    starts: NDArray[np.int64]
    level: NDArray[np.float16]
    estimated: Bytes
    true: Bytes
    target: Bytes

    @classmethod
    def open(
        cls, data: Path, split: str, cache: Path, classes: Sequence[str], device: str = "auto"
    ) -> "FrameSet":
        """Open a split of `data`, of MusicNet's form; `cache` keeps its levels and estimated pitches.

        Raises TrainingError if the data cannot be read.
        """
        recordings = recordings_of(data, split)
        folder = cache / split
        lengths = _cached_lengths(folder, recordings)
        if lengths is None:
            lengths = _compute(folder, recordings, device)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        level, estimated = (np.load(folder / name, mmap_mode="r") for name in (LEVELS_FILE, PITCHES_FILE))
        place_of = classes_of(classes)
        maps = [
            frame_maps(one.notes(), length, place_of, len(classes))
            for one, length in zip(recordings, lengths, strict=True)
        ]
        true, target = (np.concatenate(column) for column in zip(*maps, strict=True))
        return cls(tuple(one.id for one in recordings), starts, level, estimated, true, target)

    @property
    def num_segments(self) -> int:
        """The number of segments of three seconds that the recordings hold."""
        return int((np.diff(self.starts) // SEGMENT_FRAMES).sum())

    def pitch(self, source: PitchSource) -> Bytes | None:
        """The pitch maps of a source, `[frames, 88]`; None for none."""
        return {"none": None, "true": self.true, "estimated": self.estimated}[source]

    def recording(self, place: int, source: PitchSource) -> tuple[Tensor, Tensor | None]:
        """Levels and pitches of one recording, `[1, 88, frames]` each, as the network takes them."""
        frames = np.arange(self.starts[place], self.starts[place + 1])[None]
        return self.inputs(frames, source)

    def inputs(self, frames: NDArray[np.int64], source: PitchSource) -> tuple[Tensor, Tensor | None]:
        """Levels and pitches of frames by number, `frames [batch, n]` → `[batch, 88, n]` each."""
        level = torch.from_numpy(self.level[frames]).float().transpose(1, 2)
        maps = self.pitch(source)
        pitch = None if maps is None else torch.from_numpy(maps[frames]).float().div_(255).transpose(1, 2)
        return level, pitch

    def targets(self, place: int) -> Bytes:
        """The classes of one recording's output frames, `[frames // 9, classes]`."""
        return pooled(self.target[self.starts[place] : self.starts[place + 1]])

    def segments(self, number: int, generator: torch.Generator) -> NDArray[np.int64]:
        """Random segments of three seconds, as frames by number `[number, SEGMENT_FRAMES]`; every frame begins one alike."""
        room = np.maximum(np.diff(self.starts) - SEGMENT_FRAMES + 1, 0)  # [recordings]
        ends = np.cumsum(room)
        if not len(ends) or not ends[-1]:
            raise TrainingError("no recording is as long as three seconds", value=0, limit=SEGMENT_FRAMES)
        drawn = torch.randint(int(ends[-1]), (number,), generator=generator).numpy()
        place = np.searchsorted(ends, drawn, side="right")
        first = self.starts[place] + drawn - (ends - room)[place]
        frames: NDArray[np.int64] = first[:, None] + np.arange(SEGMENT_FRAMES)
        return frames

    def moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of the level of each bin, `[88]`."""
        level = self.level
        total, squares = np.zeros(NUM_BINS), np.zeros(NUM_BINS)
        for first, last in zip(self.starts, self.starts[1:], strict=False):
            part = np.asarray(level[first:last], np.float64)
            total, squares = total + part.sum(axis=0), squares + np.square(part).sum(axis=0)
        mean = total / len(level)
        deviation = np.sqrt(np.maximum(squares / len(level) - mean**2, 1e-8))
        return mean.astype(np.float32), deviation.astype(np.float32)


def frame_maps(
    notes: Iterable[ScoredNote], frames: int, place_of: dict[int, int], num_classes: int
) -> tuple[Bytes, Bytes]:
    """Pitch map `[frames, 88]`, 255 where a pitch sounds, and classes `[frames, num_classes]`, 1 where one sounds.

    A note sounds in the frames between its onset and its end, in one at least. Notes beyond the piano's range have no pitch.
    """
    pitch, target = np.zeros((frames, NUM_BINS), np.uint8), np.zeros((frames, num_classes), np.uint8)
    for note in notes:
        first = round(note.start_seconds / FRAME_SECONDS)
        span = slice(first, max(first + 1, round(note.end_seconds / FRAME_SECONDS)))
        if 0 <= note.pitch - LOWEST_PITCH < NUM_BINS:
            pitch[span, note.pitch - LOWEST_PITCH] = 255
        if note.instrument in place_of:
            target[span, place_of[note.instrument]] = 1
    return pitch, target


def pooled(target: Bytes) -> Bytes:
    """Classes of the output's frames: `[frames, classes]` → `[frames // 9, classes]`, the maximum over nine."""
    whole = len(target) // POOLED_FRAMES * POOLED_FRAMES
    most: Bytes = target[:whole].reshape(-1, POOLED_FRAMES, target.shape[1]).max(axis=1)
    return most


def _identity(recordings: Sequence[ScoredRecording]) -> dict[str, Any]:
    stamps = [[one.id, one.audio.stat().st_size] for one in recordings]
    return {"version": VERSION, "pitch": file_hash(PITCH_WEIGHTS), "recordings": stamps}


def _cached_lengths(folder: Path, recordings: Sequence[ScoredRecording]) -> list[int] | None:
    """The frames of each recording, if the folder holds the features of just these; else None."""
    try:
        kept = json.loads((folder / INDEX_FILE).read_text())
        return kept["frames"] if kept["identity"] == _identity(recordings) else None
    except (OSError, ValueError, KeyError):
        return None


def _compute(folder: Path, recordings: Sequence[ScoredRecording], device: str) -> list[int]:
    """Compute and store levels and estimated pitches; return the frames of each recording."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX_FILE).unlink(missing_ok=True)
    estimator, chosen = PitchEstimator.load(device=device), choose_device(device)
    sample_rate = FrontEndConfig().sample_rate
    levels, pitches = list[NDArray[np.float16]](), list[Bytes]()
    for number, one in enumerate(recordings, 1):
        wave = resampled(one.samples(sample_rate), sample_rate)
        levels.append(heard_levels(wave, chosen).T.astype(np.float16))
        pitches.append(np.rint(estimator.notes(wave).T * 255).astype(np.uint8))
        if number % 50 == 0 or number == len(recordings):
            print(f"features of {folder.name}: {number} of {len(recordings)} recordings", flush=True)
    for name, parts in ((LEVELS_FILE, levels), (PITCHES_FILE, pitches)):
        with atomic_file(folder / name) as file:
            np.save(file, np.concatenate(parts))
    lengths = [len(part) for part in levels]
    kept = {"identity": _identity(recordings), "frames": lengths}
    write_atomically(folder / INDEX_FILE, (json.dumps(kept) + "\n").encode())
    return lengths
