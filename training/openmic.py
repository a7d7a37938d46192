"""Reads OpenMIC-2018 in its published form (Humphrey et al. 2018): clips of ten seconds, each labelled for some classes.

    openmic-2018.npz                      X, Y_true, Y_mask, sample_key: features, relevance, what is labelled, names of clips
    openmic-2018-aggregated-labels.csv    sample_key, instrument, relevance, num_responses: the labels, a row for each
    class-map.json                        the place of each class
    partitions/split01_train.csv          names of clips, one a line; split01_test.csv too
    audio/000/000046_3840.ogg             the clips, in folders by the first three digits

A clip is named after its track and its start. The published split has no validation side: the clips of one training track in
seven validate. `X` are features of the VGGish network that was trained on AudioSet, a vector of 128 for each second.
"""

import csv
import hashlib
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from training.musicnet import TEST
from training.nlakh.dataset import TRAIN, VALID

ARRAYS, LABELS, CLASSES = "openmic-2018.npz", "openmic-2018-aggregated-labels.csv", "class-map.json"
PARTITION = "partitions/split01_{}.csv"
COLUMNS = ("sample_key", "instrument", "relevance", "num_responses")
SECONDS, NUM_FEATURES = 10, 128  # of X, for each clip
PRESENT = 0.5  # the relevance from which a class is taken to play
HELD_SHARE = 7  # one training track in seven validates
DAMAGE = (  # of a file
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError),
    *(csv.Error, zlib.error, pickle.PickleError, zipfile.BadZipFile),
)
PICKLED = {
    ("multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}  # what an array of names needs


@dataclass(frozen=True)
class OpenMic:
    """The clips of a split: `relevance [clips, classes]` in 0…1, which of it is labelled, and the published features.

    `published [clips, 10, 128]` are those of AudioSet's VGGish.
    """

    classes: tuple[str, ...]
    keys: tuple[str, ...]
    audio: tuple[Path, ...]
    relevance: NDArray[np.float32]
    is_labelled: NDArray[np.bool_]
    published: NDArray[np.float32]


def read_openmic(folder: Path, split: str) -> OpenMic:
    """The clips of a split (train, valid or test), by name. Raises TrainingError for a damaged folder, naming the file."""
    classes = _checked(folder / CLASSES, _class_map)
    arrays = _checked(folder / ARRAYS, partial(_arrays, num_classes=len(classes)))
    side = TEST if split == TEST else TRAIN
    keys = _checked(folder / PARTITION.format(side), _partition)
    if split != TEST:
        keys = [key for key in keys if _validates(key) == (split == VALID)]
    place_of = {key: place for place, key in enumerate(arrays["sample_key"])}
    unknown = next((key for key in keys if key not in place_of), None)
    if unknown is not None:
        message = f"{folder / PARTITION.format(side)} names the clip {unknown}, which {ARRAYS} lacks"
        raise TrainingError(message, value=unknown)
    if not keys:
        raise TrainingError(f"{folder} holds no clips of the split {split}", value=split)
    labelled = arrays["Y_mask"].astype(bool)
    _checked(folder / LABELS, partial(_check_labels, classes=classes, place_of=place_of, labelled=labelled))
    audio = tuple(folder / "audio" / key[:3] / f"{key}.ogg" for key in keys)
    missing = next((path for path in audio if not path.is_file()), None)
    if missing is not None:
        raise TrainingError(f"{missing} is missing", value=missing.name)
    rows = np.array([place_of[key] for key in keys])
    relevance, published = (arrays[name][rows].astype(np.float32) for name in ("Y_true", "X"))
    return OpenMic(classes, tuple(keys), audio, relevance, labelled[rows], published)


def _checked(path: Path, read: Callable[[Path], Any]) -> Any:
    """Return what `read` makes of a file; all its complaints become a TrainingError that names the file."""
    try:
        return read(path)
    except DAMAGE as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise TrainingError(f"{path} is not of OpenMIC's form: {reason}", value=str(path)) from error


def _class_map(path: Path) -> tuple[str, ...]:
    places: dict[str, int] = json.loads(path.read_text())
    names = sorted(places, key=places.__getitem__)
    if not names or [places[name] for name in names] != list(range(len(names))):
        raise ValueError(f"the places of its {len(names)} classes are not 0, 1, 2 …")
    return tuple(names)


def _arrays(path: Path, num_classes: int) -> dict[str, NDArray[Any]]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in ("X", "Y_true", "Y_mask", "sample_key"):
            with archive.open(f"{name}.npy") as member:
                found[name] = _names(member) if name == "sample_key" else np.lib.format.read_array(member)
    number = len(found["sample_key"])
    shapes = {
        "X": (number, SECONDS, NUM_FEATURES),
        "Y_true": (number, num_classes),
        "Y_mask": (number, num_classes),
    }
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ValueError(f"{name} has the shape {found[name].shape}, not {shape}")
    if not np.isfinite(found["Y_true"]).all():
        raise ValueError("Y_true holds values that are no numbers")
    return found


def _names(member: IO[bytes]) -> NDArray[Any]:
    """An array of strings. The published one is pickled: nothing but arrays is made of it."""
    version = np.lib.format.read_magic(member)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(member)
    names = _ArraysOnly(member).load() if dtype.hasobject else np.frombuffer(member.read(), dtype)
    if not isinstance(names, np.ndarray) or names.shape != shape or len(shape) != 1:
        raise ValueError(f"sample_key is no list of {shape} names")
    return names.astype(str)


class _ArraysOnly(pickle.Unpickler):
    """Loads pickled arrays of strings, and refuses all else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.rpartition(".")[2], name) not in PICKLED or module.partition(".")[0] != "numpy":
            raise pickle.UnpicklingError(f"sample_key holds {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _partition(path: Path) -> list[str]:
    keys = path.read_text().split()
    if len(set(keys)) != len(keys):
        raise ValueError("a clip stands in it twice")
    return keys


def _check_labels(
    path: Path, classes: tuple[str, ...], place_of: dict[str, int], labelled: NDArray[np.bool_]
) -> None:
    """Raise ValueError where a row of the labels is damaged, or says other than the arrays what is labelled."""
    column, seen = {name: place for place, name in enumerate(classes)}, np.zeros_like(labelled)
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            key, name = (row.get(wanted) for wanted in COLUMNS[:2])
            if key not in place_of or name not in column:
                raise ValueError(f"line {rows.line_num} names the clip {key} and the class {name}")
            seen[place_of[key], column[name]] = True
    if (seen != labelled).any():
        raise ValueError(
            f"it labels {int(seen.sum())} entries, {ARRAYS} {int(labelled.sum())}; they are not the same"
        )


def _validates(key: str) -> bool:
    track = key.partition("_")[0]
    return hashlib.sha256(track.encode()).digest()[0] % HELD_SHARE == 0
