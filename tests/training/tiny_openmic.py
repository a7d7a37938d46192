"""Writes a folder in the form of OpenMIC-2018: arrays, labels, classes, partitions and clips of noise."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

CLASSES = ("accordion", "drums", "mallet_percussion")
SHARE_LABELLED = 0.6


def write_openmic(
    folder: Path, train: Sequence[str], test: Sequence[str], seconds: float = 10.0, rate: int = 22_050
) -> np.ndarray:
    """Write clips by these names, relevance drawn at random; return it, `[train + test, classes]`."""
    generator, keys = np.random.default_rng(0), [*train, *test]
    relevance = generator.random((len(keys), len(CLASSES))).round(4)
    labelled = generator.random(relevance.shape) < SHARE_LABELLED
    features = generator.integers(0, 256, (len(keys), 10, 128)).astype(np.uint8)
    # The published names are an array of objects, which numpy pickles.
    np.savez(
        folder / "openmic-2018.npz",
        X=features,
        Y_true=np.where(labelled, relevance, 0.5),
        Y_mask=labelled,
        sample_key=np.array(keys, object),
    )
    lines = ["sample_key,instrument,relevance,num_responses"]
    for clip, place in zip(*np.nonzero(labelled), strict=True):
        lines.append(f"{keys[clip]},{CLASSES[place]},{relevance[clip, place]:.5f},3")
    (folder / "openmic-2018-aggregated-labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "class-map.json").write_text(json.dumps({name: place for place, name in enumerate(CLASSES)}))
    (folder / "partitions").mkdir()
    for side, names in (("train", train), ("test", test)):
        (folder / "partitions" / f"split01_{side}.csv").write_text("".join(f"{name}\n" for name in names))
    for key in keys:
        path = folder / "audio" / key[:3] / f"{key}.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = 0.1 * generator.standard_normal((round(seconds * rate), 2))
        soundfile.write(path, wave, rate, format="OGG", subtype="VORBIS")
    return np.where(labelled, relevance, np.nan)
