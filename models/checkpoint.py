"""Checkpoints: safetensors files whose header is enough to rebuild the network.

The header holds the network's kind and config, its training data, commit and measured figures, and in a multi encoder the hash
of the single encoder whose embeddings it learnt to give. Besides the two encoders, the recognisers are stored like this.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.atomic import atomic_path
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import CheckpointError
from models.recognition.attention import AttentionConfig, AttentionHead
from models.recognition.frame_level import FrameLevelConfig, FrameLevelNetwork
from models.recognition.musicnn import Musicnn
from models.recognition.pitch_network import PitchNetwork
from models.recognition.solo import SoloConfig, SoloNetwork
from models.recognition.vggish import Vggish, VggishConfig

FORMAT = "showme-encoder/1"
EncoderKind = Literal["single", "multi"]
Kind = Literal["single", "multi", "solo", "frame-level", "pitch", "vggish", "musicnn", "attention"]
Encoder = SingleInstrumentEncoder | MultiInstrumentEncoder
Network = Encoder | SoloNetwork | FrameLevelNetwork | PitchNetwork | Vggish | Musicnn | AttentionHead
BUILD: dict[Kind, Callable[[dict[str, Any]], Network]] = {
    "single": lambda config: SingleInstrumentEncoder(EncoderConfig.from_dict(config)),
    "multi": lambda config: MultiInstrumentEncoder(EncoderConfig.from_dict(config)),
    "solo": lambda config: SoloNetwork(SoloConfig.from_dict(config)),
    "frame-level": lambda config: FrameLevelNetwork(FrameLevelConfig.from_dict(config)),
    "pitch": lambda config: PitchNetwork(),
    "vggish": lambda config: Vggish(VggishConfig(**config)),
    "musicnn": lambda config: Musicnn(),
    "attention": lambda config: AttentionHead(AttentionConfig.from_dict(config)),
}


@dataclass(frozen=True)
class CheckpointHeader:
    """The metadata of a checkpoint."""

    kind: Kind
    config: dict[str, Any]
    target_encoder: str | None = None  # "sha256:…" of the single encoder's file; multi only
    presence_threshold: float = 0.5  # chosen on validation; multi only
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)  # recipe, data, seed, clips seen, commit
    format: str = FORMAT


def file_hash(path: Path) -> str:
    """The file's content hash, "sha256:…"."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def save_checkpoint(
    network: Network, header: CheckpointHeader, path: Path, *, dtype: torch.dtype = torch.float32
) -> str:
    """Write the network atomically, with floats as `dtype`; returns the file's hash."""
    tensors = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    with atomic_path(path) as partial:
        save_file(tensors, partial, metadata={"showme": json.dumps(asdict(header), sort_keys=True)})
        partial.chmod(0o644)  # safetensors makes it readable by the owner only
    return file_hash(path)


def load_checkpoint(path: Path) -> tuple[Network, CheckpointHeader]:
    """Rebuild the network in float32, in evaluation mode, on the CPU. Raises CheckpointError with the reason."""
    try:
        with safe_open(path, framework="pt") as file:
            header = _header(path, file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}", value=str(path)) from error
    try:
        network = BUILD[header.kind](header.config)
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
        )
    except (TypeError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"{path} does not fit its own header: {error}", value=str(path)) from error
    return network.eval(), header


def load_single(path: Path) -> tuple[SingleInstrumentEncoder, CheckpointHeader]:
    """`load_checkpoint` of a single encoder; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, SingleInstrumentEncoder):
        raise _other_kind(path, header.kind, "single")
    return network, header


def load_multi(path: Path) -> tuple[MultiInstrumentEncoder, CheckpointHeader]:
    """`load_checkpoint` of a multi encoder; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, MultiInstrumentEncoder):
        raise _other_kind(path, header.kind, "multi")
    return network, header


def load_solo(path: Path) -> tuple[SoloNetwork, CheckpointHeader]:
    """`load_checkpoint` of a solo network; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, SoloNetwork):
        raise _other_kind(path, header.kind, "solo")
    return network, header


def load_frame_level(path: Path) -> tuple[FrameLevelNetwork, CheckpointHeader]:
    """`load_checkpoint` of a frame-level network; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, FrameLevelNetwork):
        raise _other_kind(path, header.kind, "frame-level")
    return network, header


def load_pitch(path: Path) -> PitchNetwork:
    """`load_checkpoint` of the pitch network; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, PitchNetwork):
        raise _other_kind(path, header.kind, "pitch")
    return network


def load_vggish(path: Path) -> tuple[Vggish, CheckpointHeader]:
    """`load_checkpoint` of an extractor of features; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, Vggish):
        raise _other_kind(path, header.kind, "vggish")
    return network, header


def load_musicnn(path: Path) -> Musicnn:
    """`load_checkpoint` of the network of musicnn; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, Musicnn):
        raise _other_kind(path, header.kind, "musicnn")
    return network


def load_attention(path: Path) -> tuple[AttentionHead, CheckpointHeader]:
    """`load_checkpoint` of an attention head; raises CheckpointError for another kind."""
    network, header = load_checkpoint(path)
    if not isinstance(network, AttentionHead):
        raise _other_kind(path, header.kind, "attention")
    return network, header


def _other_kind(path: Path, kind: Kind, wanted: Kind) -> CheckpointError:
    names: dict[Kind, str] = {
        "single": "a single encoder",
        "multi": "a multi encoder",
        "solo": "a solo network",
        "frame-level": "a frame-level network",
        "pitch": "a pitch network",
        "vggish": "an extractor of features",
        "musicnn": "a network of musicnn",
        "attention": "an attention head",
    }
    return CheckpointError(f"{path} holds {names[kind]}, not {names[wanted]}", value=kind, limit=wanted)


def _header(path: Path, metadata: dict[str, str]) -> CheckpointHeader:
    try:
        values = json.loads(metadata["showme"])
        header = CheckpointHeader(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has no showme header", value=str(path)) from error
    if header.format != FORMAT:
        raise CheckpointError(
            f"{path} has format {header.format!r}, this version reads {FORMAT!r}",
            value=header.format,
            limit=FORMAT,
        )
    return header
