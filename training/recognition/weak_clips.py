"""Clips of ten seconds that are labelled as wholes: which classes play in each, and which of that is known.

Gururani et al. 2019 and Taenzer et al. 2021 learn from OpenMIC-2018. Ours are the pieces of `showme data scores`, or any
recordings in MusicNet's form, cut into clips of ten seconds: a clip has the families that sound in it for half a second or
more, and every entry is labelled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from index.families import FAMILIES
from models.audio import cut_window, window_starts
from models.errors import TrainingError
from training.musicnet import ScoredRecording, classes_of, recordings_of
from training.nlakh.dataset import TRAIN
from training.openmic import PRESENT, read_openmic

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

SAMPLE_RATE = 16_000
CLIP_SECONDS = 10
CLIP_SAMPLES = CLIP_SECONDS * SAMPLE_RATE
GRID_HZ, MIN_SECONDS = 100, 0.5  # on which notes are drawn; of a family that counts


@dataclass(frozen=True)
class WeakClips:
    """Labelled clips: `truth` and `is_labelled [clips, classes]`; `stamps` say which audio they are.

    `wave` gives a clip by its place: `[CLIP_SAMPLES]`, mono at 16 kHz. `published [clips, 10, 128]` are features that came with
    the data, None where none did.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    truth: Bools
    is_labelled: Bools
    stamps: tuple[int, ...]
    wave: Callable[[int], Floats]
    published: Floats | None = None


def openmic_clips(folder: Path, split: str) -> WeakClips:
    """The clips of a split of OpenMIC-2018. Raises TrainingError for a damaged folder."""
    found = read_openmic(folder, split)

    def wave(place: int) -> Floats:
        return cut_window(_mono(found.audio[place]), 0, CLIP_SAMPLES)

    stamps = tuple(path.stat().st_size for path in found.audio)
    truth = (found.relevance >= PRESENT) & found.is_labelled
    return WeakClips(found.keys, found.classes, truth, found.is_labelled, stamps, wave, found.published)


def scored_clips(folder: Path, split: str, classes: Sequence[str] | None = None) -> WeakClips:
    """The clips of a split of recordings in MusicNet's form; by default of the families that sound in training.

    Raises TrainingError if the folder cannot be read, or if fewer than two families sound.
    """
    if classes is None:
        sounding = np.flatnonzero(scored_clips(folder, TRAIN, FAMILIES).truth.any(axis=0))
        classes = [FAMILIES[place] for place in sounding]
        if len(classes) < 2:
            message = f"{len(classes)} families sound in the training recordings of {folder}"
            raise TrainingError(message, value=len(classes), limit=2)
    recordings = recordings_of(folder, split)
    place_of = classes_of(classes)
    cut, truth = list[tuple[int, int]](), list[Bools]()
    for number, one in enumerate(recordings):
        samples = _length(one.audio)
        grid = sounding_grid(one, samples / SAMPLE_RATE, place_of, len(classes))
        for start in window_starts(samples, clip_samples=CLIP_SAMPLES, hop_samples=CLIP_SAMPLES):
            first = round(start * GRID_HZ / SAMPLE_RATE)
            seconds = grid[first : first + CLIP_SECONDS * GRID_HZ].sum(axis=0) / GRID_HZ
            cut.append((number, start))
            truth.append(seconds >= MIN_SECONDS)
    ids = tuple(f"{recordings[number].id} {start / SAMPLE_RATE:g}" for number, start in cut)
    stamps = tuple(recordings[number].audio.stat().st_size for number, _ in cut)
    labels = np.stack(truth)
    return WeakClips(ids, tuple(classes), labels, np.ones_like(labels), stamps, _Cutter(recordings, cut))


def sounding_grid(one: ScoredRecording, seconds: float, place_of: dict[int, int], num_classes: int) -> Bools:
    """When each class has a note, `[seconds · GRID_HZ, classes]`."""
    grid = np.zeros((int(np.ceil(seconds * GRID_HZ)), num_classes), bool)
    for note in one.notes():
        if note.instrument in place_of:
            span = slice(round(note.start_seconds * GRID_HZ), round(note.end_seconds * GRID_HZ))
            grid[span, place_of[note.instrument]] = True
    return grid


class _Cutter:
    """Gives clips of recordings by place; a recording is read once for clips that follow each other."""

    def __init__(self, recordings: Sequence[ScoredRecording], cut: Sequence[tuple[int, int]]) -> None:
        self._recordings, self._cut = recordings, cut
        self._number, self._samples = -1, np.zeros(0, np.float32)

    def __call__(self, place: int) -> Floats:
        number, start = self._cut[place]
        if number != self._number:
            self._number, self._samples = number, self._recordings[number].samples(SAMPLE_RATE)
        return cut_window(self._samples, start, CLIP_SAMPLES)


def _length(path: Path) -> int:
    """The samples of a recording at `SAMPLE_RATE`, by its header."""
    try:
        info = soundfile.info(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error
    return max(1, round(info.frames * SAMPLE_RATE / info.samplerate))


def _mono(path: Path) -> Floats:
    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error
    if not len(wave):
        raise TrainingError(f"{path} holds no audio", value=str(path))
    mono: Floats = soxr.resample(wave.mean(axis=1), rate, SAMPLE_RATE).astype(np.float32)
    return mono
