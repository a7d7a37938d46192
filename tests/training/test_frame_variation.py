"""Segments of frame-level recognition are transposed, equalised and made quieter, each by draws of its own."""

import pytest
import torch

from models.errors import TrainingError
from models.recognition.constant_q import NUM_BINS
from training.config import read_recipe
from training.recognition.frame_recipe import FRAME_RECIPE, FrameRecipe
from training.recognition.frame_variation import VariationConfig, transposed, varied


def tones(number: int, frames: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Segments of one pitch each, with an overtone an octave above, and its pitch map."""
    level = torch.zeros(number, NUM_BINS, frames)
    level[:, 40], level[:, 52] = 0.8, 0.6
    pitch = torch.zeros_like(level)
    pitch[:, 40] = 1.0
    return level, pitch


def test_levels_and_pitches_move_together() -> None:
    level, pitch = tones(50)
    heard, notes = varied(level, pitch, VariationConfig(semitones=5), torch.Generator().manual_seed(0))
    assert notes is not None
    lowest = notes.argmax(dim=1)[:, 0]
    assert torch.equal(heard.argmax(dim=1)[:, 0], lowest)
    assert set((lowest - 40).tolist()) == set(range(-5, 6))
    assert torch.equal(heard.amax(dim=(1, 2)), torch.full((50,), 0.8))


def test_what_leaves_the_range_does_not_come_back() -> None:
    level, _ = tones(2)
    moved = transposed(level, torch.tensor([40, -45]))
    assert torch.equal(moved.amax(dim=2)[0].nonzero().flatten(), torch.tensor([80]))
    assert torch.equal(moved.amax(dim=2)[1].nonzero().flatten(), torch.tensor([7]))


def test_equalisers_and_gains_leave_silence_alone() -> None:
    level, pitch = tones(200)
    config = VariationConfig(equaliser_db=6.0, quieter_db=10.0)
    heard, notes = varied(level, pitch, config, torch.Generator().manual_seed(0))
    assert notes is not None
    assert torch.equal(notes, pitch)
    assert torch.equal(heard > 0, level > 0)
    change = 80 * (heard - level)[:, 40, 0]
    assert change.mean() == pytest.approx(-5.0, abs=1.5)
    assert change.std() == pytest.approx((6.0**2 + 10.0**2 / 12) ** 0.5, rel=0.2)


def test_nothing_is_varied_unless_the_recipe_says_so() -> None:
    recipe = read_recipe(FrameRecipe, FRAME_RECIPE, ["variation.semitones=3"])
    assert recipe.variation == VariationConfig(semitones=3)
    level, pitch = tones(1)
    heard, notes = varied(level, pitch, VariationConfig(), torch.Generator())
    assert heard is level
    assert notes is pitch
    with pytest.raises(TrainingError, match="semitones is 13"):
        read_recipe(FrameRecipe, FRAME_RECIPE, ["variation.semitones=13"])
