"""The paper's two measurements: verification by the single encoder, retrieval from mixtures by both.

Kim et al. 2022, sections 5.1 (equal error rate) and 5.2 (Table 2). Every figure stands beside what chance gives.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from index.families import FAMILIES
from models.encoder_pair import EncoderPair
from training.clip_store import ClipStore
from training.effects.chain import Effects
from training.held_out import HeldOut
from training.metrics import (
    Bools,
    Floats,
    equal_error_rate,
    f1,
    mean_average_precision,
    recall_at,
    to_families,
)
from training.mixing import Mixer

NUM_ENROLLED = 5
NUM_TRIALS = 20  # of the target, and as many of others
MIN_INSTRUMENTS, MAX_INSTRUMENTS = 2, 9
CHUNK = 32


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return unit


def enrol(pair: EncoderPair, held: HeldOut) -> Floats:
    """The library: each chosen instrument's normalised mean embedding, `[instruments, dim]`."""
    means = [pair.embed(held.enrollment(place)).mean(axis=0) for place in range(len(held.chosen))]
    return _unit(np.stack(means))


def verification(pair: EncoderPair, held: HeldOut, seed: int) -> dict[str, float]:
    """Equal error rates: 20 trials of each instrument against 20 of others, averaged per instrument and pooled."""
    rng = np.random.default_rng(seed)
    library = enrol(pair, held)
    trials = np.stack(
        [pair.embed(held.queries(place)) for place in range(len(held.chosen))]
    )  # [inst, clip, dim]
    num_clips = trials.shape[1]
    rates, scores = [], []
    for place, enrolled in enumerate(library):
        own = trials[place, rng.permutation(num_clips)[:NUM_TRIALS]]
        others = rng.choice(np.delete(np.arange(len(library)), place), NUM_TRIALS)
        impostors = trials[others, rng.integers(num_clips, size=NUM_TRIALS)]
        score = np.concatenate([own, impostors]) @ enrolled
        target = np.repeat([True, False], [len(own), NUM_TRIALS])
        rates.append(equal_error_rate(target, score))
        scores.append((target, score))
    pooled = equal_error_rate(*(np.concatenate(column) for column in zip(*scores, strict=True)))
    nearest = (trials @ library.T).argmax(axis=2) == np.arange(len(library))[:, None]
    return {
        "eer": float(np.mean(rates)),
        "eer_pooled": pooled,
        "top1": float(nearest.mean()),
        "chance_top1": 1 / len(library),
        "instruments": len(library),
    }


@dataclass(frozen=True)
class Answers:
    """What the multi encoder gave for K mixtures: truth `[K, instruments]`, cosine `[K, slots, instruments]`, presence."""

    true: Bools
    cosine: Floats
    presence: Floats

    @property
    def score(self) -> Floats:
        """The paper's ranking score: the highest cosine over slots, `[K, instruments]`."""
        best: Floats = self.cosine.max(axis=1)
        return best

    def retrieved(self, threshold: float) -> Bools:
        """R of section 3.3 over slots whose presence reaches the threshold (0: every slot), `[K, instruments]`."""
        nearest = self.cosine.argmax(axis=2)  # [K, slots]
        found = np.zeros_like(self.true)
        row, slot = np.nonzero(self.presence >= threshold)
        found[row, nearest[row, slot]] = True
        return found


def _mixtures(
    held: HeldOut, number: int, seed: int, effects: Effects | None
) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    store = ClipStore(held, torch.device("cpu"))
    mixer = Mixer(store, MIN_INSTRUMENTS, min(MAX_INSTRUMENTS, len(held.chosen)), effects=effects)
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, number, CHUNK):
        batch = mixer.draw(min(CHUNK, number - start), generator)
        yield batch.wave.numpy(), batch.instrument.numpy()


def ask(
    pair: EncoderPair, held: HeldOut, num_mixtures: int, seed: int, effects: Effects | None = None
) -> Answers:
    """Enrol the library and put random mixtures of 2–9 of its instruments, from clips that enrolled nothing.

    With `effects` the mixtures and their stems are heard through them; the library is enrolled as it is.
    """
    library = enrol(pair, held)
    true, cosine, presence = [], [], []
    for wave, instrument in _mixtures(held, num_mixtures, seed, effects):
        embedding, used = pair.encode(wave)
        truth = np.zeros((len(wave), len(library)), dtype=bool)
        row, column = np.nonzero(instrument >= 0)
        truth[row, instrument[row, column]] = True
        true.append(truth)
        cosine.append(embedding @ library.T)
        presence.append(used)
    return Answers(np.concatenate(true), np.concatenate(cosine), np.concatenate(presence))


def retrieval_row(true: Bools, found: Bools, score: Floats, family: NDArray[np.int64]) -> dict[str, float]:
    """One row of the paper's Table 2, with recall and the error in the number of instruments beside it.

    The family columns are left out where no instrument's family is known.
    """
    averages = {"instrument_f1": f1(true, found), "map": mean_average_precision(true, score)}
    if (family >= 0).any():
        true_families, found_families = (to_families(sets, family, len(FAMILIES)) for sets in (true, found))
        averages["family_f1"] = f1(true_families, found_families)
    row = {f"{name}_{kind}": value for name, pair in averages.items() for kind, value in asdict(pair).items()}
    count_error = float(np.abs(found.sum(axis=1) - true.sum(axis=1)).mean())
    return row | {"recall_at_5": recall_at(true, score, 5), "count_error": count_error}


def retrieval(
    pair: EncoderPair, held: HeldOut, num_mixtures: int, seed: int, effects: Effects | None = None
) -> dict[str, dict[str, float]]:
    """The table's rows: chance (2–9 random picks, random scores), `paper` (every slot), `present` (slots with presence)."""
    answers = ask(pair, held, num_mixtures, seed, effects)
    rng = np.random.default_rng(seed)
    noise = rng.random(answers.true.shape, dtype=np.float32)
    picks = rng.integers(MIN_INSTRUMENTS, MAX_INSTRUMENTS + 1, size=(len(noise), 1))
    guessed = noise.argsort(axis=1).argsort(axis=1) < picks
    rows = {
        "chance": (guessed, rng.random(noise.shape, dtype=np.float32)),
        "paper": (answers.retrieved(0.0), answers.score),
        "present": (answers.retrieved(pair.presence_threshold), answers.score),
    }
    return {
        name: retrieval_row(answers.true, found, score, held.family) for name, (found, score) in rows.items()
    }
