"""What can be rendered: sampled instruments of a note bank and presets of a sound font, behind one interface.

Section 4 of Kim et al. 2022 renders NSynth's notes only; presets played directly give every key and velocity.
"""

from pathlib import Path
from typing import Protocol

import numpy as np

from index.sources.base import Note
from index.sources.soundfont import SoundFontPlayer, family_of_preset, follows_general_midi
from index.sources.soundfont_file import Preset
from models.errors import TrainingError

PRESET_LOW, PRESET_HIGH = 28, 96  # a preset answers every key; these are the musical ones


class Playable(Protocol):
    """An instrument that turns notes into mono float32 samples, between MIDI pitches `low` and `high`."""

    id: str
    name: str
    family: str | None
    source: str

    @property
    def low(self) -> int: ...

    @property
    def high(self) -> int: ...

    def play(self, notes: tuple[Note, ...], seconds: float, sample_rate: int) -> np.ndarray: ...


class PresetInstrument:
    """One preset of an open sound font."""

    low, high = PRESET_LOW, PRESET_HIGH

    def __init__(self, player: SoundFontPlayer, key: str, preset: Preset, source: str) -> None:
        self.id, self.name, self.source = key, preset.name, source
        self.family = family_of_preset(preset, follows_general_midi(player.presets))
        self._player, self._preset = player, preset

    def play(self, notes: tuple[Note, ...], seconds: float, sample_rate: int) -> np.ndarray:
        """Mono float32 [seconds · sample_rate]. Raises TrainingError for a rate other than the player's."""
        if sample_rate != self._player.sample_rate:
            raise TrainingError(f"{self.id} is open at {self._player.sample_rate} Hz", value=sample_rate)
        return self._player.play(self._preset.bank, self._preset.program, notes, seconds)


class PresetBank:
    """The presets of one sound font, by id `<stem>_<bank>_<program>`; `banks` limits which."""

    def __init__(self, path: Path, sample_rate: int, *, banks: set[int] | None = None) -> None:
        self._player = SoundFontPlayer(path, sample_rate)
        self._path = path
        self._presets = {
            f"{path.stem.lower()}_{preset.bank:03d}_{preset.program:03d}": preset
            for preset in self._player.presets
            if banks is None or preset.bank in banks
        }

    @property
    def ids(self) -> list[str]:
        """Sorted ids."""
        return sorted(self._presets)

    def load(self, key: str) -> PresetInstrument:
        """The preset of an id. Raises TrainingError when there is none."""
        if key not in self._presets:
            raise TrainingError(f"no preset {key} in {self._path.name}", value=key)
        return PresetInstrument(self._player, key, self._presets[key], self._path.name)
