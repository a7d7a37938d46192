"""Pictures of failure cases: the mixtures whose true instruments are ranked lowest.

Each picture shows log-mel spectrograms: the mixture and its stems above, enrollment clips of the first hits below.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.front_end import FrontEnd
from training.clip_store import ClipStore
from training.evaluation.context import EvaluationContext
from training.evaluation.held_out import to_float
from training.evaluation.metrics import Floats
from training.evaluation.mixtures import GAIN_DB, Places
from training.evaluation.plots import new_figure, save_figure
from training.evaluation.ranking import rank_stems
from training.evaluation.scoring import encode, search
from training.mixing import Mixer

NUM_MIXTURES, NUM_DRAWN = 128, 3  # random mixtures, and failures among them to draw
MIN_STEMS, MAX_STEMS = 2, 4  # a picture of more stems would be hard to read
HITS = 5


@dataclass(frozen=True)
class Failure:
    """One mixture: `wave [samples]`, `stems [stem, samples]`, and captions for its stems and its first hits."""

    wave: Floats
    stems: Floats
    played: tuple[str, ...]
    hits: tuple[str, ...]
    hit_places: tuple[int, ...]


def lowest_ranked(context: EvaluationContext, number: int = NUM_DRAWN) -> list[Failure]:
    """Return the random mixtures whose true instruments have the lowest mean rank in the library, lowest first."""
    held = context.held
    store = ClipStore(held, torch.device("cpu"))
    most = min(MAX_STEMS, len(held.chosen))
    mixer = Mixer(store, min(MIN_STEMS, most), most, GAIN_DB)
    batch = mixer.draw(NUM_MIXTURES, torch.Generator().manual_seed(context.seed))
    wave, instrument = batch.wave.numpy(), batch.instrument.numpy()
    library = context.held_space
    found = search(encode(context.pair, wave), library)
    stem_ranks = rank_stems(found, instrument)
    mean_rank = (stem_ranks.any_rank * stem_ranks.stems).sum(axis=1) / stem_ranks.stems.sum(axis=1)
    out = []
    for row in np.argsort(-mean_rank, kind="stable")[:number]:
        stems = stem_ranks.stems[row]
        hits = np.argsort(-found.probability[row], kind="stable")[:HITS]
        names = [held.instruments[place].name for place in instrument[row][stems]]
        ranks = stem_ranks.any_rank[row][stems] + 1
        out.append(
            Failure(
                wave[row],
                store.take(batch.clip[row][torch.from_numpy(stems)]).numpy(),
                tuple(f"{name} (rank {rank})" for name, rank in zip(names, ranks, strict=True)),
                tuple(_hit(held.instruments[place].name, place, instrument[row]) for place in hits),
                tuple(int(place) for place in hits),
            )
        )
    return out


def _hit(name: str, place: int, played: Places) -> str:
    return f"{name} (plays)" if place in played else name


def draw(context: EvaluationContext, folder: Path) -> None:
    """Draw `failure-1-SPLIT.jpg` and so on. A hit is shown by its first enrollment clip."""
    front_end = FrontEnd()
    for number, failure in enumerate(lowest_ranked(context), 1):
        first = (
            np.asarray(context.held.chosen)[list(failure.hit_places)] * context.held.bank.clips_per_instrument
        )
        hits = to_float(context.held.bank.rows(first))
        columns = max(1 + len(failure.stems), len(hits))
        figure = new_figure(2.2 * columns, 4.2)
        panels = figure.subplots(2, columns, squeeze=False)
        above = (("the mixture", *failure.played), np.concatenate([failure.wave[None], failure.stems]))
        below = (tuple(f"{rank}. {name}" for rank, name in enumerate(failure.hits, 1)), hits)
        for line, (names, waves) in zip(panels, (above, below), strict=True):
            images = front_end(torch.from_numpy(waves))[:, 0].numpy()
            for panel in line:
                panel.axis("off")
            for panel, name, image in zip(line, names, images, strict=False):
                panel.imshow(image, origin="lower", aspect="auto", cmap="magma", vmin=-2, vmax=2)
                panel.set_title(name, fontsize=8)
        save_figure(figure, folder / f"failure-{number}-{context.split}.jpg")
