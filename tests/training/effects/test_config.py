"""The section `[effects]`: off by default, errors name value and limits, parameters are drawn from their ranges."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import TrainingError
from training.config import CONFIGS, load_recipe
from training.effects.config import (
    ChainConfig,
    Codec,
    Compressor,
    EffectsConfig,
    Equaliser,
    Noise,
    Pitch,
    Reverb,
)
from training.effects.noise import BACKGROUNDS

WITH_EFFECTS = {
    f"ours-{name}"
    for name in (
        "single-effects",
        "multi-effects",
        "single-heavy",
        "multi-heavy",
        "single-real",
        "multi-real",
    )
}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_all_effects_are_off_by_default() -> None:
    assert not EffectsConfig().any()
    assert not EffectsConfig.from_dict({"stems": {"reverb": {"wet_db": [-30, -10]}}}).any()


def test_only_the_recipes_that_say_so_have_effects() -> None:
    with_effects = {
        path.stem for path in CONFIGS.glob("*.toml") if load_recipe(Path(path.stem)).effects.any()
    }
    assert with_effects == WITH_EFFECTS


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_ours_with_effects_is_ours_otherwise(kind: str) -> None:
    plain, changed = (load_recipe(Path(f"ours-{kind}{suffix}")) for suffix in ("", "-effects"))
    for field in fields(plain):
        assert field.name == "effects" or getattr(plain, field.name) == getattr(changed, field.name)


def test_a_single_recipe_has_no_mixtures_to_change() -> None:
    assert not load_recipe(Path("ours-single-effects")).effects.mixture.active()


@pytest.mark.parametrize(
    ("effect", "values", "value", "limit"),
    [
        ("reverb", {"probability": 1.5}, 1.5, "0…1"),
        ("reverb", {"probability": float("nan")}, None, "0…1"),
        ("reverb", {"rt60_seconds": [0.2, 60]}, [0.2, 60], "0.02…10"),
        ("reverb", {"wet_db": [-3, -20]}, [-3, -20], "-120…20"),
        ("low_pass", {"cutoff_hz": [0, 4000]}, [0, 4000], "100…100000"),
        ("compressor", {"ratio": [0.5, 2]}, [0.5, 2], "1…100"),
        ("noise", {"snr_db": ["20", "50"]}, ["20", "50"], "-20…120"),
    ],
)
def test_depths_outside_their_limits_are_named(
    effect: str, values: dict[str, Any], value: Any, limit: str
) -> None:
    with pytest.raises(TrainingError, match=rf"{effect}\.{next(iter(values))} is") as caught:
        EffectsConfig.from_dict({"stems": {effect: values}})
    assert value is None or caught.value.value == value
    assert caught.value.limit == limit


def test_what_is_no_range_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"pitch\.cents is 50; it must be a range"):
        Pitch(cents=50)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("effects.stems.phaser.probability = 1", "no effect phaser"),
        ("effects.stems.reverb.size = [1, 2]", "size"),
        ("effects.bus.reverb.probability = 1", "bus"),
        ("effects.stems.reverb = 0.5", "recipe tiny"),
        ("effects.mixture.codec.probability = -1", r"codec\.probability is -1"),
    ],
)
def test_mistakes_in_a_recipe_are_named(override: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        load_recipe(Path("tiny"), [override])


def test_an_override_reaches_its_effect() -> None:
    recipe = load_recipe(
        Path("tiny"), ["effects.stems.reverb.probability = 0.5", "effects.stems.reverb.wet_db = [-9, -9]"]
    )
    assert recipe.effects.stems.active() == {"reverb": Reverb(0.5, wet_db=(-9, -9))}
    assert recipe.effects.mixture == ChainConfig()


def test_depths_are_drawn_from_their_ranges() -> None:
    for config in (Pitch(), Compressor(), Equaliser(), Reverb(), Noise(), Codec()):
        drawn = config.draw(2_000, generator())
        for key, (low, high) in ((field.name, getattr(config, field.name)) for field in fields(config)[1:]):
            values = drawn[key]
            assert low <= float(values.min()) < low + 0.1 * (high - low)
            assert high - 0.2 * (high - low) < float(values.max()) <= high


def test_times_and_frequencies_are_spread_in_octaves() -> None:
    drawn = Reverb(rt60_seconds=(0.1, 1.6)).draw(4_000, generator())["rt60_seconds"]
    assert float((drawn < 0.4).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_every_background_is_drawn() -> None:
    assert set(Noise().draw(200, generator())["colour"].tolist()) == set(range(len(BACKGROUNDS)))
