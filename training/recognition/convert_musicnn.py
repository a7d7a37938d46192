"""Converts a network of musicnn (Jordi Pons, ISC licence) into a safetensors file, once.

Neither TensorFlow nor the package is installed: the checkpoints lie in the wheel, which is a zip.

    pip download --no-deps --dest wheels musicnn==0.1.0
    python -m training.recognition.convert_musicnn wheels/musicnn-0.1.0-py3-none-any.whl musicnn.safetensors

`MTT_musicnn` learned with the tags of MagnaTagATune, many of them instruments; `MSD_musicnn` with those of the Million Song
Dataset. The layers of the checkpoint are numbered in the order in which the network was built.
"""

import argparse
import json
import tempfile
import zipfile
from pathlib import Path

import torch

from models.checkpoint import CheckpointHeader, file_hash, save_checkpoint
from models.errors import TrainingError
from models.recognition.musicnn import Musicnn
from training.commands import cli_errors
from training.recognition.tensorflow_bundle import Floats, read_bundle

MODELS = ("MTT_musicnn", "MSD_musicnn")
INDEX, VALUES = ".index", ".data-00000-of-00001"
SOURCE = "musicnn 0.1.0, Jordi Pons, ISC licence"
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
CONVOLUTIONS = (
    *(f"timbral.{place}" for place in range(2)),
    *(f"temporal.{place}" for place in range(3)),
    *(f"middle.{place}" for place in range(3)),
)
NORMS = ("first", *(f"{name}.norm" for name in CONVOLUTIONS), "pooled_norm", "dense_norm")
DENSE = ("dense", "tags")


def weights_of(tensors: dict[str, Floats]) -> dict[str, Floats]:
    """The state of a `Musicnn`, of the tensors of a checkpoint. Raises TrainingError where one is missing."""
    state: dict[str, Floats] = {}
    try:
        for place, name in enumerate(NORMS):
            for ours, theirs in NORM.items():
                state[f"{name}.{ours}"] = tensors[f"{_numbered('batch_normalization', place)}/{theirs}"]
        for place, name in enumerate(CONVOLUTIONS):
            layer = _numbered("conv2d", place)
            # [frames, bands, inputs, outputs] → [outputs, inputs, frames, bands]
            state[f"{name}.convolution.weight"] = tensors[f"{layer}/kernel"].transpose(3, 2, 0, 1)
            state[f"{name}.convolution.bias"] = tensors[f"{layer}/bias"]
        for place, name in enumerate(DENSE):
            layer = _numbered("dense", place)
            state[f"{name}.weight"], state[f"{name}.bias"] = (
                tensors[f"{layer}/kernel"].T,
                tensors[f"{layer}/bias"],
            )
    except KeyError as error:
        raise TrainingError(f"the checkpoint has no tensor {error}; it is not of {SOURCE}") from error
    return state


def _numbered(kind: str, place: int) -> str:
    return f"{kind}_{place}" if place else kind


def convert(wheel: Path, model: str) -> Musicnn:
    """The network of a model in the wheel. Raises TrainingError for another file."""
    try:
        with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
            index, values = (
                Path(archive.extract(f"musicnn/{model}/{name}", folder)) for name in (INDEX, VALUES)
            )
            state = weights_of(read_bundle(index, values))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{wheel} is not the wheel of {SOURCE}: {error}", value=str(wheel)) from error
    network = Musicnn()
    tensors = {name: torch.from_numpy(value.copy()) for name, value in state.items()}
    counters = {
        name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")
    }
    try:
        network.load_state_dict(tensors | counters)
    except RuntimeError as error:
        raise TrainingError(f"{model} of {wheel.name} has other layers: {error}", value=model) from error
    return network


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    options = parser.parse_args(argv)
    network = convert(options.wheel, options.model)
    record = {"source": f"{options.model} of {SOURCE}", "wheel": file_hash(options.wheel)}
    save_checkpoint(network, CheckpointHeader("musicnn", {}, training=record), options.out)
    print(f"wrote {options.out}: {json.dumps(record)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
