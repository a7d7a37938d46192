"""Labelled mixtures for the multi encoder: random, three-part and rendered mixtures, and single clips.

Kim et al. 2022, section 5.2: random mixtures of 2–9 query clips, and rendered multi-track excerpts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.encoder_pair import EncoderPair
from models.errors import TrainingError
from training.bank import Bank
from training.clip_store import ClipStore
from training.effects.chain import Effects
from training.evaluation.held_out import HeldOut, to_float
from training.evaluation.metrics import Bools, Floats
from training.evaluation.scoring import EncodedMixtures, encode
from training.mixing import ABSENT, Mixer, active_rms

MIN_INSTRUMENTS, MAX_INSTRUMENTS = 2, 9
GAIN_DB = 6.0
CHUNK = 32

Places = NDArray[np.int64]
Batch = tuple[Floats, Places]  # wave [n, samples]; instrument [n, stem]: place in the library, or ABSENT


@dataclass(frozen=True)
class LabelledMixtures:
    """Encoded mixtures and their labels `instrument [K, stem]`: the place in the library of each stem, or ABSENT."""

    encoded: EncodedMixtures
    instrument: Places

    def true(self, num_instruments: int) -> Bools:
        """Return the instruments of each mixture as a mask `[K, num_instruments]`."""
        out = np.zeros((len(self.instrument), num_instruments), dtype=bool)
        row, stem = np.nonzero(self.instrument != ABSENT)
        out[row, self.instrument[row, stem]] = True
        return out


def encode_mixtures(pair: EncoderPair, batches: Iterator[Batch]) -> LabelledMixtures:
    """Encode all batches with the multi encoder; return one set of labelled mixtures."""
    rows = [(encode(pair, wave), instrument) for wave, instrument in batches]
    encoded = EncodedMixtures(
        np.concatenate([part.embedding for part, _ in rows]),
        np.concatenate([part.presence for part, _ in rows]),
        pair.presence_threshold,
    )
    return LabelledMixtures(encoded, np.concatenate([instrument for _, instrument in rows]))


def random_mixtures(
    held: HeldOut, number: int, seed: int, *, gain_db: float = GAIN_DB, effects: Effects | None = None
) -> Iterator[Batch]:
    """Yield random mixtures of 2–9 held-out instruments; `effects`, if given, process stems and mixtures."""
    store = ClipStore(held, torch.device("cpu"))
    most = min(MAX_INSTRUMENTS, len(held.chosen))
    mixer = Mixer(store, min(MIN_INSTRUMENTS, most), most, gain_db, effects)
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, number, CHUNK):
        batch = mixer.draw(min(CHUNK, number - start), generator)
        yield batch.wave.numpy(), batch.instrument.numpy()


def part_mixtures(held: HeldOut, parts: Sequence[Sequence[int]], number: int, seed: int) -> Iterator[Batch]:
    """Yield mixtures of one instrument of each part. `parts` hold places in `held.chosen`; stems are in the order of parts."""
    rng = np.random.default_rng(seed)
    for start in range(0, number, CHUNK):
        size = min(CHUNK, number - start)
        instrument = np.stack([rng.choice(part, size) for part in parts], axis=1)  # [size, part]
        clip = rng.integers(held.clips_per_instrument, size=instrument.shape)
        gain = 10 ** (rng.uniform(-GAIN_DB, GAIN_DB, size=(instrument.size, 1)) / 20)
        stems = to_float(held.rows((instrument * held.clips_per_instrument + clip).ravel()))
        stems *= (gain / active_rms(torch.from_numpy(stems)).clamp(min=1e-5).numpy()).astype(np.float32)
        yield stems.reshape(*instrument.shape, -1).sum(axis=1), instrument


def rendered_mixtures(held: HeldOut, bank: Bank, number: int) -> Iterator[Batch]:
    """Yield the first `number` mixtures of a rendered data set, each the sum of its stems.

    Raises TrainingError if one of its instruments is not in the library.
    """
    place_of = {instrument.id: place for place, instrument in enumerate(held.instruments)}
    unknown = [instrument.id for instrument in bank.instruments if instrument.id not in place_of]
    if unknown:
        raise TrainingError(
            f"{len(unknown)} of {len(bank.instruments)} instruments of the rendered mixtures, such as {unknown[0]}, are not in "
            f"the library of {len(place_of)}: render its instruments only (showme data render multi --probes)",
            value=unknown[0],
            limit=len(place_of),
        )
    places = np.array([place_of[instrument.id] for instrument in bank.instruments])
    last = min(number, bank.num_mixtures)
    most = int(np.diff(bank.offsets).max())
    for start in range(0, last, CHUNK):
        waves, instrument = [], np.full((min(CHUNK, last - start), most), ABSENT)
        for row, mixture in enumerate(range(start, min(start + CHUNK, last))):
            stems = np.arange(bank.offsets[mixture], bank.offsets[mixture + 1])
            waves.append(to_float(bank.rows(stems)).sum(axis=0))
            instrument[row, : len(stems)] = places[bank.instrument_of_clip[stems]]
        yield np.stack(waves), instrument


def single_clips(held: HeldOut, number: int, seed: int) -> Iterator[Batch]:
    """Yield single query clips, drawn without replacement, as mixtures of one instrument."""
    order = np.random.default_rng(seed).permutation(held.num_clips)[:number]
    for start in range(0, len(order), CHUNK):
        rows = order[start : start + CHUNK]
        yield to_float(held.rows(rows)), held.instrument_of_clip[rows][:, None]
