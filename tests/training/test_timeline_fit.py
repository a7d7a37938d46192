"""The timeline model is fitted to what slots and network hear: it follows the one that knows, or both."""

import re
from pathlib import Path

import numpy as np
import pytest

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoder_pair import FRAME_LEVEL_FILE, EncoderPair
from models.recognition.frame_level import FrameLevelConfig, FrameLevelNetwork
from tests.app.commands import write_weights
from tests.training.real.tiny_real import write_real
from training.musicnet import ScoredNote, write_recording
from training.timeline import HeardFrames, fit, held_out_f1, main

FAMILIES = ("bass", "flute")
RATE = 16_000


def recording(seed: int) -> HeardFrames:
    """Slots tell the half minute in which a family sounds, the network its rests, both with errors."""
    draw = np.random.default_rng(seed)
    half = np.arange(600)[:, None] < 300
    sounds = np.where(draw.random(2) < 0.5, half, ~half)
    rests = np.repeat(draw.random((60, 2)) < 0.5, 10, axis=0)
    target = (sounds & ~rests).astype(np.uint8)
    slots = np.where(sounds, 0.7, 0.1) + 0.1 * draw.standard_normal(target.shape)
    frames = np.where(~rests, 0.6, 0.2) + 0.15 * draw.standard_normal(target.shape)
    by_slots, by_network = (np.clip(one, 0, 1).astype(np.float32) for one in (slots, frames))
    return HeardFrames(by_slots, by_network, target)


def test_both_together_are_better_than_either() -> None:
    heard = [recording(seed) for seed in range(6)]
    ((kind, scores),) = held_out_f1({"pieces": heard}, FAMILIES, (0.4, 0.4))
    assert kind == "pieces"
    assert scores["both"] > max(scores["slots"], scores["network"]) + 0.05
    model = fit(heard, FAMILIES)
    assert model.slots > 0.2
    assert model.frames > 0.2


def test_a_useless_network_is_not_listened_to() -> None:
    draw = np.random.default_rng(0)
    heard = [
        one._replace(frames=draw.random(one.target.shape).astype(np.float32))
        for one in map(recording, range(6))
    ]
    model = fit(heard, FAMILIES)
    assert abs(model.frames) < 0.1 * model.slots


def test_the_command_writes_a_model_that_the_pair_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = write_weights(tmp_path / "weights", with_family=True)
    families = EncoderPair.load(weights, "cpu").fitted_family().families
    config = FrameLevelConfig(families, (0.5,) * len(families), pitch="none", source="none")
    header = CheckpointHeader("frame-level", config.to_dict())
    save_checkpoint(FrameLevelNetwork(config), header, weights / FRAME_LEVEL_FILE)
    draw = np.random.default_rng(0)
    for number in range(4):
        wave = (3000 * draw.standard_normal(7 * RATE)).astype(np.int16)
        notes = [ScoredNote(0.0, 3.0, 33, 40), ScoredNote(2.0, 7.0, 74, 80)]
        write_recording(tmp_path / "scores", "valid", f"chamber_{number}", wave, RATE, notes)
    real = write_real(tmp_path / "real")
    words = ["--weights", str(weights), "--data", str(tmp_path / "scores"), "--real", str(real)]
    assert main([*words, "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "4 rendered pieces" in told
    assert re.search(r"\d+ real solos, F1 .* both \.?\d", told)
    timeline = EncoderPair.load(weights, "cpu").timeline
    assert timeline is not None
    assert timeline.families == families
