"""The features of all clips of a split, computed once and kept beside the runs that hear them."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.atomic import atomic_file, write_atomically
from models.checkpoint import file_hash
from models.errors import TrainingError
from training.recognition.feature_kinds import AUDIOSET, MUSICNN, OBJECTIVES, RANDOM, Hear, hear_by
from training.recognition.train_extractor import EXTRACTOR_FILE
from training.recognition.weak_clips import CLIP_SAMPLES, Bools, Floats, WeakClips

CLIPS_AT_ONCE = 16
SAY_EVERY_SECONDS = 60.0
VERSION = 1  # of what the files hold


@dataclass(frozen=True)
class WeakFeatures:
    """The clips that a head learns from: `values [clips, steps, dimensions]`, and of each clip what plays and what is known."""

    values: Floats
    truth: Bools
    is_labelled: Bools
    classes: tuple[str, ...]


@dataclass(frozen=True)
class FeatureStore:
    """Computes features of one kind, or reads them from `folder`, where the kind's extractor lies too.

    `clips` opens the labelled clips of a split; `musicnn` are its weights.
    """

    kind: str
    folder: Path
    clips: Callable[[str], WeakClips]
    device: torch.device
    musicnn: Path | None = None

    @property
    def weights(self) -> Path | None:
        """The weights that the kind needs, None for none. Raises TrainingError where musicnn's are not given."""
        if self.kind in (RANDOM, *OBJECTIVES):
            return self.folder / EXTRACTOR_FILE
        if self.kind == MUSICNN and self.musicnn is None:
            message = "the features musicnn want its weights: --musicnn FILE (training/recognition/convert_musicnn.py)"
            raise TrainingError(message, value=self.kind)
        return self.musicnn if self.kind == MUSICNN else None

    def open(self, split: str) -> WeakFeatures:
        """The features of a split. Raises TrainingError for data without AudioSet's, or that cannot be read."""
        clips = self.clips(split)
        if self.kind == AUDIOSET:
            if clips.published is None:
                raise TrainingError("features of AudioSet come with OpenMIC-2018 alone", value=AUDIOSET)
            return WeakFeatures(clips.published, clips.truth, clips.is_labelled, clips.classes)
        stored, index = (self.folder / "features" / f"{split}.{ending}" for ending in ("npy", "json"))
        identity = self._identity(clips)
        if not _is_current(index, stored, identity):
            values = np.concatenate(list(self._computed(split, clips)))
            stored.parent.mkdir(parents=True, exist_ok=True)
            index.unlink(missing_ok=True)
            with atomic_file(stored) as file:
                np.save(file, values)
            write_atomically(index, (json.dumps({"identity": identity}) + "\n").encode())
        values = np.load(stored)
        return WeakFeatures(values, clips.truth, clips.is_labelled, clips.classes)

    def _identity(self, clips: WeakClips) -> str:
        """What the features depend on, as a hash: the clips and the network."""
        network = file_hash(self.weights) if self.weights else self.kind
        text = json.dumps([VERSION, self.kind, network, clips.ids, clips.stamps])
        return hashlib.sha256(text.encode()).hexdigest()

    def _computed(self, split: str, clips: WeakClips) -> Iterator[Floats]:
        hear: Hear = hear_by(self.kind, self.weights, self.device)
        said = time.monotonic()
        for first in range(0, len(clips.ids), CLIPS_AT_ONCE):
            places = range(first, min(first + CLIPS_AT_ONCE, len(clips.ids)))
            waves = np.stack([clips.wave(place) for place in places])
            assert waves.shape[1] == CLIP_SAMPLES
            with torch.inference_mode():
                yield hear(torch.from_numpy(waves).to(self.device)).float().cpu().numpy()
            if time.monotonic() - said > SAY_EVERY_SECONDS or places.stop == len(clips.ids):
                said = time.monotonic()
                print(
                    f"{self.kind}: features of {places.stop} of {len(clips.ids)} clips ({split})", flush=True
                )


def _is_current(index: Path, stored: Path, identity: str) -> bool:
    try:
        return stored.exists() and bool(json.loads(index.read_text())["identity"] == identity)
    except (OSError, ValueError, KeyError, TypeError):
        return False
