"""Training pieces for solo recognition: three sounding seconds at random of the clips of every family.

Segal 2016 cuts recordings into snippets of three seconds and splits by recording. Here a piece is cut from a clip's mel
power, families are drawn equally often, and whole instruments train or validate, as the banks' splits say.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from index.families import FAMILIES
from models.errors import TrainingError
from training.bank import Bank
from training.clip_store import ClipStore
from training.mel_effects import MelEffects
from training.mel_mixing import MelClipStore
from training.nlakh.dataset import DatasetInstrument
from training.recognition.solo_recipe import SoloRecipe

MEL_FILE = "solo_mel.pt"  # a cache in the run's folder
CLIPS_AT_ONCE = 256  # whose usable pieces are looked for together


class FamilyClips:
    """The first clips of the instruments of several banks that have a family, as a `ClipSource`."""

    def __init__(self, banks: Sequence[Bank], clips_each: int) -> None:
        """Raises TrainingError for banks whose clips differ in length or rate, and for no instrument of a family."""
        self.clip_samples, self.sample_rate = banks[0].clip_samples, banks[0].sample_rate
        for bank in banks:
            if (bank.clip_samples, bank.sample_rate) != (self.clip_samples, self.sample_rate):
                message = f"clips of {bank.clip_samples} and {self.clip_samples} samples cannot be combined"
                raise TrainingError(message, value=bank.clip_samples, limit=self.clip_samples)
        self._banks = tuple(banks)
        parts = [_rows_of(bank, clips_each) for bank in banks]  # per bank, [instruments, clips]
        counts = [part.shape[1] for part in parts for _ in part]
        self.instruments: tuple[DatasetInstrument, ...] = tuple(
            bank.instruments[row] for bank in banks for row in _places(bank)
        )
        if not self.instruments:
            raise TrainingError("no instrument of these banks has a family", limit=", ".join(FAMILIES))
        self.bank_of_instrument = np.repeat(np.arange(len(banks)), [len(part) for part in parts])
        self.instrument_of_clip: NDArray[np.int64] = np.repeat(np.arange(len(self.instruments)), counts)
        self._row = np.concatenate([part.ravel() for part in parts])
        self._bank = np.repeat(np.arange(len(banks)), [part.size for part in parts])

    @property
    def num_clips(self) -> int:
        return len(self._row)

    @property
    def families(self) -> tuple[str, ...]:
        """The families that occur, in the order of `FAMILIES`."""
        found = {row.family for row in self.instruments}
        return tuple(family for family in FAMILIES if family in found)

    def family_of_instrument(self, families: Sequence[str]) -> NDArray[np.int64]:
        """The place in `families` of every instrument's family, −1 where it is not among them."""
        places = {family: place for place, family in enumerate(families)}
        return np.array([places.get(row.family or "", -1) for row in self.instruments])

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]:
        """Clips by number, int16 `[n, clip_samples]`."""
        out = np.empty((len(indices), self.clip_samples), np.int16)
        for place, bank in enumerate(self._banks):
            chosen = self._bank[indices] == place
            if chosen.any():
                out[chosen] = bank.rows(self._row[indices][chosen])
        return out

    def to_tensor(self, device: torch.device) -> Tensor:
        return torch.from_numpy(self.rows(np.arange(self.num_clips))).to(device)


def _places(bank: Bank) -> list[int]:
    return [place for place, row in enumerate(bank.instruments) if row.family in FAMILIES]


def _rows_of(bank: Bank, clips_each: int) -> NDArray[np.int64]:
    """The bank's rows of the first clips of its instruments with a family, `[instruments, clips]`."""
    each = bank.clips_per_instrument
    first = np.array(_places(bank), np.int64)[:, None] * each
    rows: NDArray[np.int64] = first + np.arange(min(clips_each, each))
    return rows


class PieceSampler:
    """Draws batches of pieces: a family evenly, an instrument of it, a clip, and a place in the clip that sounds.

    Within a family each bank is drawn by the root of its number of instruments, so that few real ones count beside many
    rendered ones.
    """

    def __init__(self, clips: FamilyClips, recipe: SoloRecipe, families: Sequence[str], out: Path) -> None:
        """Transform all clips with the recipe's effects, or load them from the folder `out` of the run."""
        config = recipe.network.front_end
        if clips.sample_rate != config.sample_rate or clips.clip_samples < config.clip_samples:
            message = f"clips of {clips.clip_samples} samples at {clips.sample_rate} Hz are too short or of another rate"
            limit = f"{config.clip_samples} samples at {config.sample_rate} Hz"
            raise TrainingError(message, value=clips.clip_samples, limit=limit)
        whole = replace(config, clip_seconds=clips.clip_samples / config.sample_rate)
        store = ClipStore(clips, torch.device("cpu"))
        self._mel = MelClipStore.compute(store, whole, out / MEL_FILE, recipe.effects, recipe.seed)
        self._effects = MelEffects(recipe.mel_effects, config, torch.device("cpu"))
        self._frames = config.num_frames
        family = clips.family_of_instrument(families)
        self._family_of_clip = torch.from_numpy(family[clips.instrument_of_clip])
        self._usable = self._sounding_starts(recipe.network.gate_db)
        weight = clip_weights(family, clips.bank_of_instrument, clips.instrument_of_clip)
        self._weight = torch.from_numpy(weight) * self._usable.any(dim=1)

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images `[number, 1, n_mels, frames]` and the place of each one's family, `[number]`."""
        clip = torch.multinomial(self._weight, number, replacement=True, generator=generator)
        start = torch.multinomial(self._usable[clip].float(), 1, generator=generator)
        frame = start + torch.arange(self._frames)  # [number, frames]
        power = self._mel.magnitude[clip[:, None], frame].float().square_()
        return self._effects.image(power, generator), self._family_of_clip[clip]

    def _sounding_starts(self, gate_db: float) -> Tensor:
        """The places at which a piece of every clip passes the gate: bool `[clips, starts]`."""
        usable = []
        for magnitude in self._mel.magnitude.split(CLIPS_AT_ONCE):
            energy = magnitude.float().square_().sum(dim=2)  # [clips, frames]
            piece = energy.unfold(1, self._frames, 1).mean(dim=2)  # [clips, starts]
            loudest = piece.amax(dim=1, keepdim=True)
            usable.append((piece >= loudest * 10 ** (-gate_db / 10)) & (loudest > 0))
        return torch.cat(usable)


def clip_weights(
    family: NDArray[np.int64], bank: NDArray[np.int64], instrument_of_clip: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How often each clip is drawn, `[clips]`: every family alike, its banks by the root of their instruments.

    `family [instruments]` and `bank [instruments]` are places; instruments of family −1 are never drawn.
    """
    weight = np.zeros(len(family))
    for place in np.unique(family[family >= 0]):
        roots = {one: np.sqrt(((family == place) & (bank == one)).sum()) for one in np.unique(bank)}
        for one, root in roots.items():
            chosen = (family == place) & (bank == one)
            weight[chosen] = root / sum(roots.values()) / max(1, chosen.sum())
    clips_each = np.bincount(instrument_of_clip, minlength=len(family))
    out: NDArray[np.float64] = weight[instrument_of_clip] / clips_each[instrument_of_clip]
    return out
