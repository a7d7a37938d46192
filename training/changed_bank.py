"""A bank whose instruments are those of another one, changed: every clip at another speed, with a tilt of the spectrum.

Both encoders tell new instruments worse than those that they learnt from, and more training hardly narrows that
(docs/EXPERIMENTS.md). A changed instrument is a new one to them, as in `training/real/variants.py`, which changes what plays
the notes; here the rendered clips themselves are changed, so that phrases, too, move in pitch and tempo.
"""

from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from training.bank import Bank
from training.nlakh.rendered import Samples
from training.real.variants import VariantSpec, tilted

SEMITONES = (2, 7)  # up or down
MOST_TILT_DB = 3.0  # an octave, up or down
PEAK = 0.9  # full scale 1


def changed(bank: Bank, seed: int = 0) -> Bank:
    """Return a bank of as many clips, each instrument changed in its own way, which `seed` draws."""
    specs = draw_changes(len(bank.instruments), seed)
    instruments = tuple(
        replace(one, id=one.id + spec.mark, name=f"{one.name} ({spec.mark})")
        for one, spec in zip(bank.instruments, specs, strict=True)
    )
    files = _ChangedClips(bank, specs)
    return Bank(instruments, files, bank.sample_rate, clips_per_instrument=bank.clips_per_instrument)


def draw_changes(number: int, seed: int) -> list[VariantSpec]:
    """Draw `number` changes: evenly many up and down, from 2 to 7 semitones, tilted by 3 dB an octave at most."""
    rng = np.random.default_rng(seed)
    semitones = rng.integers(SEMITONES[0], SEMITONES[1] + 1, number) * rng.choice([-1, 1], number)
    tilt_db = rng.uniform(-MOST_TILT_DB, MOST_TILT_DB, number)
    return [VariantSpec(int(step), float(tilt)) for step, tilt in zip(semitones, tilt_db, strict=True)]


class _ChangedClips:
    """The clips of a bank, changed as they are read."""

    def __init__(self, bank: Bank, specs: list[VariantSpec]) -> None:
        self._bank, self._specs = bank, specs
        self.num_clips, self.clip_samples = bank.num_clips, bank.clip_samples

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Clips by row number, which the caller has checked: int16 [n, clip_samples]."""
        clips = self._bank.rows(rows)
        for place, instrument in enumerate(self._bank.instrument_of_clip[rows]):
            clips[place] = self._changed(clips[place], self._specs[instrument])
        return clips

    def _changed(self, clip: Samples, spec: VariantSpec) -> Samples:
        """The clip at the change's speed, repeated where it is too short then, tilted, at its old peak or below `PEAK`."""
        rate = self._bank.sample_rate
        samples = soxr.resample(clip.astype(np.float32) / 32768.0, rate * spec.speed, rate, "MQ")
        samples = tilted(np.resize(samples, len(clip)), rate, spec.tilt_db)
        loudest = float(np.abs(samples).max())
        peak = min(PEAK, float(np.abs(clip).max()) / 32768.0)
        return np.round(samples * (peak / loudest if loudest else 0.0) * 32767.0).astype(np.int16)
