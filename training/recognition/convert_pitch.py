"""Converts the network of basic-pitch (Spotify, Apache-2.0) into `pitch.safetensors`, once.

The service needs no package of it. Install onnx, and basic-pitch with `--no-deps`, into an environment of their own, then

    python -m training.recognition.convert_pitch …/icassp_2022/nmp.onnx models/weights/pitch.safetensors

The graph's tensors are known by their shapes, each of which occurs once, apart from a few that are named.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import CheckpointHeader, file_hash, save_checkpoint
from models.errors import TrainingError
from models.recognition.pitch_network import NUM_BINS, PitchNetwork
from training.commands import cli_errors

Floats = NDArray[np.float32]
SOURCE = "nmp.onnx of basic-pitch 0.4.0, Spotify AB, Apache-2.0"
CONVOLUTIONS = {  # of the network, by the shape of their weights in the graph
    "contour": (8, 8, 3, 39),
    "contour_out": (1, 8, 5, 5),
    "note": (32, 1, 7, 7),
    "note_out": (1, 32, 7, 3),
    "onset": (32, 8, 5, 5),
    "onset_out": (1, 33, 3, 3),
}


def read_graph(path: Path) -> tuple[dict[str, Floats], dict[str, list[list[str]]]]:
    """The graph's float tensors by name, and the inputs of its nodes by kind. Raises TrainingError without `onnx`."""
    try:
        import onnx
    except ImportError as error:
        raise TrainingError("the graph is read by the package onnx, which is not installed") from error
    graph = onnx.load(str(path)).graph
    tensors = {row.name: onnx.numpy_helper.to_array(row) for row in graph.initializer}
    nodes: dict[str, list[list[str]]] = {}
    for node in graph.node:
        nodes.setdefault(node.op_type, []).append(list(node.input))
    return {name: value for name, value in tensors.items() if value.dtype == np.float32}, nodes


def weights_of(tensors: dict[str, Floats], nodes: dict[str, list[list[str]]]) -> dict[str, Floats]:
    """The state of a `PitchNetwork`. Raises TrainingError for another graph."""
    convolutions = {inputs[1]: inputs[2] for inputs in nodes["Conv"]}
    state: dict[str, Floats] = {}
    for name, shape in CONVOLUTIONS.items():
        weight = _of_shape(tensors, shape)
        state[f"{name}.weight"], state[f"{name}.bias"] = tensors[weight], tensors[convolutions[weight]]
    # The first convolution of the graph gives the imaginary part, negated, the second the real part.
    imaginary, real = (tensors[inputs[1]].reshape(-1, 256) for inputs in nodes["Conv"][:2])
    state["transform.filters"] = np.concatenate([real, imaginary])
    state["transform.low_pass"] = tensors[_of_shape(tensors, (1, 1, 1, 256))].ravel()
    state["transform.scale"] = tensors[_of_shape(tensors, (NUM_BINS, 1, 1))].ravel()
    gain, offset = (
        next(name for name in inputs if name in tensors)
        for kind in ("Mul", "Add")
        for inputs in nodes[kind]
        if any("batch_normalization/" in name and name in tensors for name in inputs)
    )
    state["gain"], state["offset"] = tensors[gain], tensors[offset]
    return state


def _of_shape(tensors: dict[str, Floats], shape: tuple[int, ...]) -> str:
    """The name of the one tensor of a shape."""
    found = [name for name, value in tensors.items() if value.shape == shape]
    if len(found) != 1:
        raise TrainingError(f"{len(found)} tensors of the graph fit a layer; it is not the one of {SOURCE}")
    return found[0]


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("graph", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(argv)
    network = PitchNetwork()
    state = weights_of(*read_graph(options.graph))
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    record = {"source": SOURCE, "graph": file_hash(options.graph)}
    save_checkpoint(network, CheckpointHeader("pitch", {}, training=record), options.out)
    print(f"wrote {options.out}: {json.dumps(record)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
