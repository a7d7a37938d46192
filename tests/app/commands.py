"""Runs the command `showme` in this process, as users run it, with tiny encoders of random weights."""

from pathlib import Path

from typer.testing import CliRunner

import app.cli
from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from tests.encoders import match_by_similarity, random_families

CONFIG = EncoderConfig(
    backbone="compact",
    backbone_options={"widths": [4, 8, 8]},
    embedding_dim=16,
    num_slots=2,
    head="attention",
    head_options={"width": 16, "depth": 1, "num_heads": 2},
)


def write_weights(folder: Path, *, with_family: bool = False) -> Path:
    """Write a pair of tiny encoders with random weights into `folder`, and return it."""
    config = CONFIG.to_dict()
    target = save_checkpoint(
        SingleInstrumentEncoder(CONFIG), CheckpointHeader("single", config), folder / "single.safetensors"
    )
    header = CheckpointHeader("multi", config, target_encoder=target, presence_threshold=0.0)
    multi = save_checkpoint(MultiInstrumentEncoder(CONFIG), header, folder / "multi.safetensors")
    match_by_similarity(CONFIG.embedding_dim).save(folder / "match.safetensors", target, multi)
    if with_family:
        random_families(CONFIG.embedding_dim).save(folder / "family.safetensors", target, multi)
    return folder


def run(*arguments: str | Path, code: int = 0) -> str:
    """Run the command; return its output, including standard error."""
    result = CliRunner().invoke(app.cli.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result.output


def assert_one_line(output: str) -> None:
    assert output.startswith("showme: ")
    assert output.count("\n") == 1, output
