"""The studio: parts sum to the mix, the master treats all alike, and drawn settings depend on the generator alone."""

import numpy as np
from numpy.typing import NDArray

from training.productions.mixdown import CEILING_DB, SOUNDS, VOICE, Studio

RATE = 16_000


def parts(number: int = 4, seconds: float = 3.0) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    time = np.arange(round(seconds * RATE)) / RATE
    tones = [
        np.sin(2 * np.pi * 110 * (i + 1) * time) * (np.sin(5 * (i + 1) * time) > 0) for i in range(number)
    ]
    return [(0.3 * tone + 0.01 * rng.normal(size=len(time))).astype(np.float32) for tone in tones]


def test_the_ceiling_holds_and_levels_of_the_input_do_not_matter() -> None:
    studio, kinds = Studio(RATE), ["drum", "bass", None, VOICE]
    played = parts()
    for seed in range(12):
        stems = studio.mix(kinds, played, np.random.default_rng(seed))
        assert stems.dtype == np.int16
        assert stems.shape == (4, len(played[0]))
        mix = stems.sum(axis=0, dtype=np.int32)
        loudest = max(np.abs(mix).max(), np.abs(stems.astype(np.int32)).max())
        assert loudest <= 32767 * 10 ** (CEILING_DB / 20)
        assert np.abs(stems).max(axis=1).min() > 100  # each part is heard
        quieter = studio.mix(
            kinds, [samples / np.float32(100) for samples in played], np.random.default_rng(seed)
        )
        assert np.abs(quieter.astype(int) - stems).max() < 700


def test_a_mix_depends_on_the_generator_alone() -> None:
    kinds = ["drum", "guitar", "synth_lead", "vocal"]
    one, again = (Studio(RATE).mix(kinds, parts(), np.random.default_rng(3)) for _ in range(2))
    other = Studio(RATE).mix(kinds, parts(), np.random.default_rng(4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_part_that_rests_stays_silent_until_it_plays() -> None:
    played = parts()
    played[2][: 2 * RATE] = 0
    for seed in range(6):
        stems = Studio(RATE).mix(["drum", "bass", "flute", "organ"], played, np.random.default_rng(seed))
        assert np.abs(stems[2][: 2 * RATE - 100]).max() <= 2
        assert np.abs(stems[2][2 * RATE :]).max() > 100


def test_bass_and_drums_carry_the_mix() -> None:
    """Over many productions a bass is louder than strings, as its table says."""
    levels = []
    for seed in range(12):
        stems = Studio(RATE).mix(["drum", "bass", "string", "string"], parts(), np.random.default_rng(seed))
        levels.append(20 * np.log10(np.sqrt(np.mean(stems.astype(np.float64) ** 2, axis=1))))
    mean = np.mean(levels, axis=0)
    assert mean[1] > mean[2]
    assert SOUNDS["bass"].level_db > SOUNDS["string"].level_db
