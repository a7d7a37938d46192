"""Finds near-duplicate instruments by their audio: the same notes are compared, slot by slot, as log-mel spectra.

Sound banks borrow from each other (MuseScore General from FluidR3, GeneralUser GS from both), so a split by identity alone,
as in section 4 of Kim et al. 2022, would leak.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from index.sources.note_bank import SLOT_NOTES, SLOT_SECONDS
from index.sources.note_files import SOUNDING_PEAK
from models.errors import TrainingError
from models.front_end import FrontEndConfig, LogMel

SEGMENT_SECONDS = (0.0, 0.1, 0.3, 0.7, 1.3, 2.2, 3.0)  # attack, decay, sustain, release of a key held 2.2 s
POOLED_MELS = 64
FLOOR_DB = 50.0  # below a slot's loudest cell: quieter cells do not count
MIN_SHARED_SLOTS = 3
# Two instruments are near-duplicates below this root-mean-square difference of their pooled spectra. By name, most
# pairs up to 3 dB are one patch in two banks (FluidR3 and MuseScore, ZynAddSubFX and Yoshimi) or a close variant. The
# median instrument's nearest neighbour lies at 5 dB, and groups chain into giants from 3.5 dB on (largest joined
# group: 22 instruments at 1.5 dB, 48 at 3, 97 at 3.5, 275 at 4).
NEAR_DB = 3.0

SlotAudio = Sequence[np.ndarray | None]  # one array [n] at 16 kHz for each of SLOT_NOTES, None = out of range


def slot_features(slots: SlotAudio, log_mel: LogMel) -> tuple[np.ndarray, np.ndarray]:
    """Features [slots, segments · mels] in dB below each slot's maximum, and a mask of the audible slots [slots]."""
    config = log_mel.config
    samples = round(SLOT_SECONDS * config.sample_rate)
    wave = np.zeros((len(SLOT_NOTES), samples), np.float32)
    for row, slot in zip(wave, slots, strict=True):
        if slot is not None:
            row[: min(samples, len(slot))] = slot[:samples]
    sounds = np.abs(wave).max(axis=1) >= SOUNDING_PEAK
    with torch.inference_mode():
        power = log_mel.power(torch.from_numpy(wave)).numpy()  # [slots, mels, frames]
    power = power.reshape(len(wave), POOLED_MELS, -1, power.shape[-1]).mean(axis=2)
    edges = (np.array(SEGMENT_SECONDS) * config.sample_rate / config.hop_length).round().astype(int)
    pooled = np.stack([power[:, :, a:b].mean(axis=2) for a, b in pairwise(edges)], axis=1)
    pooled = pooled.reshape(len(wave), -1)
    relative = pooled / np.maximum(pooled.max(axis=1, keepdims=True), 1e-12)
    decibels = 10 * np.log10(relative + 10 ** (-FLOOR_DB / 10))
    return decibels.astype(np.float32), sounds


def distances(
    features: np.ndarray, sounds: np.ndarray, others: np.ndarray, others_sound: np.ndarray
) -> np.ndarray:
    """Root-mean-square difference in dB over the shared slots, [a, b]; infinite with fewer than `MIN_SHARED_SLOTS`.

    features [a, slots, cells], sounds [a, slots]; others [b, slots, cells], others_sound [b, slots].
    """
    total = np.zeros((len(features), len(others)), np.float64)
    shared = np.zeros_like(total)
    for slot in range(features.shape[1]):
        mine, theirs = features[:, slot].astype(np.float64), others[:, slot].astype(np.float64)
        square = (mine**2).sum(1)[:, None] + (theirs**2).sum(1)[None, :] - 2 * mine @ theirs.T
        both = sounds[:, slot, None] & others_sound[None, :, slot]
        total += np.where(both, np.maximum(square, 0) / mine.shape[1], 0)
        shared += both
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(shared >= MIN_SHARED_SLOTS, np.sqrt(total / shared), np.inf)


@dataclass(frozen=True)
class InstrumentFeatures:
    """Features of instruments, in the order of `ids`: features [n, slots, cells], sounds [n, slots]."""

    ids: tuple[str, ...]
    features: np.ndarray
    sounds: np.ndarray

    def only(self, ids: Iterable[str]) -> "InstrumentFeatures":
        """The features of those of `ids` that are here, in their order."""
        place = {key: i for i, key in enumerate(self.ids)}
        chosen = [key for key in ids if key in place]
        rows = [place[key] for key in chosen]
        return InstrumentFeatures(tuple(chosen), self.features[rows], self.sounds[rows])

    def joined(self, others: "InstrumentFeatures") -> "InstrumentFeatures":
        """The features of both."""
        return InstrumentFeatures(
            (*self.ids, *others.ids),
            np.concatenate([self.features, others.features]),
            np.concatenate([self.sounds, others.sounds]),
        )

    def near_pairs(self) -> list[tuple[str, str]]:
        """Every pair closer than `NEAR_DB`."""
        apart = distances(self.features, self.sounds, self.features, self.sounds)
        return [
            (self.ids[a], self.ids[b]) for a, b in zip(*np.nonzero(np.triu(apart < NEAR_DB, 1)), strict=True)
        ]


def extract_features(audio: Iterable[tuple[str, SlotAudio]]) -> InstrumentFeatures:
    """Features of instruments given as (id, slots). Raises TrainingError when there is none."""
    log_mel = LogMel(FrontEndConfig())
    ids, features, sounds = [], [], []
    for key, slots in audio:
        cells, sounding = slot_features(slots, log_mel)
        ids.append(key)
        features.append(cells)
        sounds.append(sounding)
    if not ids:
        raise TrainingError("no instrument has enough sounding notes", value=0, limit=MIN_SHARED_SLOTS)
    return InstrumentFeatures(tuple(ids), np.stack(features), np.stack(sounds))
