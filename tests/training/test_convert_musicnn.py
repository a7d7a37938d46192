"""A TensorFlow checkpoint is read without TensorFlow, and one of musicnn's becomes our network, layer by layer."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import load_musicnn
from models.errors import TrainingError
from models.recognition.musicnn import Musicnn
from tests.training.tiny_bundle import write_bundle
from training.recognition import convert_musicnn
from training.recognition.convert_musicnn import CONVOLUTIONS, DENSE, INDEX, NORM, NORMS, VALUES
from training.recognition.tensorflow_bundle import read_bundle


def published_form(network: Musicnn) -> dict[str, np.ndarray]:
    """The tensors of a network under the names and in the layout of the original."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    tensors: dict[str, np.ndarray] = {"beta1_power": np.array([0.9], np.float32)}

    def numbered(kind: str, place: int) -> str:
        return f"{kind}_{place}" if place else kind

    for place, name in enumerate(NORMS):
        for ours, theirs in NORM.items():
            tensors[f"{numbered('batch_normalization', place)}/{theirs}"] = state[f"{name}.{ours}"]
    for place, name in enumerate(CONVOLUTIONS):
        kernel = np.moveaxis(state[f"{name}.convolution.weight"], (0, 1), (3, 2))
        tensors[f"{numbered('conv2d', place)}/kernel"] = np.ascontiguousarray(kernel)
        tensors[f"{numbered('conv2d', place)}/bias"] = state[f"{name}.convolution.bias"]
    for place, name in enumerate(DENSE):
        tensors[f"{numbered('dense', place)}/kernel"] = np.ascontiguousarray(state[f"{name}.weight"].T)
        tensors[f"{numbered('dense', place)}/bias"] = state[f"{name}.bias"]
    return tensors


def wheel_of(tensors: dict[str, np.ndarray], folder: Path) -> Path:
    wheel = folder / "musicnn-0.1.0-py3-none-any.whl"
    write_bundle(tensors, folder / "index", folder / "values")
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, file in ((INDEX, "index"), (VALUES, "values")):
            archive.write(folder / file, f"musicnn/MTT_musicnn/{name}")
    return wheel


def test_tensors_are_read_whatever_their_shape(tmp_path: Path) -> None:
    tensors: dict[str, np.ndarray] = {
        "conv2d/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "conv2d_1/kernel": np.full((1, 300), 0.5, np.float32),
        "step": np.array([7]),  # passed over
        "zero": np.array(3.0, np.float32),
    }
    write_bundle(tensors, tmp_path / "index", tmp_path / "values")
    found = read_bundle(tmp_path / "index", tmp_path / "values")
    assert set(found) == {"conv2d/kernel", "conv2d_1/kernel", "zero"}
    assert all(np.array_equal(found[name], tensors[name]) for name in found)


def test_damaged_checkpoints_are_named(tmp_path: Path) -> None:
    write_bundle({"one": np.zeros(100, np.float32)}, tmp_path / "index", tmp_path / "values")
    whole = (tmp_path / "index").read_bytes()
    (tmp_path / "values").write_bytes(b"short")
    with pytest.raises(TrainingError, match=r"index and values are no readable .* does not fit 400 bytes"):
        read_bundle(tmp_path / "index", tmp_path / "values")
    for damaged in (b"", whole[:-1], whole[30:], whole[:10] + b"\xff" * 20 + whole[30:]):
        (tmp_path / "index").write_bytes(damaged)
        with pytest.raises(TrainingError, match="no readable TensorFlow checkpoint"):
            read_bundle(tmp_path / "index", tmp_path / "values")


def test_the_converted_network_gives_what_the_original_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    network = Musicnn().eval()
    for value in network.buffers():
        if value.is_floating_point():
            value.add_(0.1 * torch.rand_like(value))
    wheel, out = wheel_of(published_form(network), tmp_path), tmp_path / "musicnn.safetensors"
    assert convert_musicnn.main([str(wheel), str(out)]) == 0
    assert "MTT_musicnn of musicnn 0.1.0" in capsys.readouterr().out
    image = torch.rand(2, 187, 96)
    with torch.inference_mode():
        assert torch.allclose(load_musicnn(out)(image), network(image), atol=1e-6)
    assert convert_musicnn.main([str(wheel), str(out), "--model", "MSD_musicnn"]) == 2
    assert "is not the wheel of musicnn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("conv2d_3/kernel", None, "no tensor 'conv2d_3/kernel'"),
        ("dense/bias", np.zeros(7, np.float32), "other layers"),
    ],
)
def test_other_networks_are_refused(
    tmp_path: Path, name: str, value: np.ndarray | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = published_form(Musicnn())
    del tensors[name]
    if value is not None:
        tensors[name] = value
    assert convert_musicnn.main([str(wheel_of(tensors, tmp_path)), str(tmp_path / "out")]) == 2
    assert reason in capsys.readouterr().err
