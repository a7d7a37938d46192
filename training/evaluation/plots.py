"""Plots of an evaluation as small files: t-SNE of embeddings, family confusion, recall by library size and by mixture size.

The t-SNE follows Kim et al. 2022, Fig. 4 (training and held-out instruments); the other plots show figures of the tables.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import TrainingError
from training.evaluation.context import EvaluationContext
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.metrics import Floats
from training.evaluation.report import COLUMNS, Report, Table
from training.nlakh.dataset import TRAIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_INSTRUMENTS, SHOWN_CLIPS = 53, 12  # in each panel of the t-SNE
MIN_SHOWN = 8  # clips needed for a t-SNE
DPI, JPEG_QUALITY = 80, 60
RECALLS = ("recall_any_1", "recall_any_5", "recall_any_10", "recall_own_1", "recall_own_5", "recall_own_10")


def check() -> None:
    """Raise TrainingError if matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise TrainingError("--plots needs matplotlib: pip install matplotlib", limit="matplotlib")


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: "Figure", path: Path) -> None:
    """Save a small file, reproducible to the byte: PNG for drawings, JPEG for spectrograms."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        figure.savefig(path, dpi=DPI, pil_kwargs={"quality": JPEG_QUALITY})
    else:
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def embeddings(context: EvaluationContext, folder: Path) -> None:
    """Draw `tsne-SPLIT.png`: clips of training and of held-out instruments, one colour per instrument."""
    figure = new_figure(9, 4.5)
    views = [view for view in context.others if view.split == TRAIN] + [context.own]
    shown = {view.split: _sample(view, context) for view in views}
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, (split, vectors) in zip(panels, shown.items(), strict=True):
        places = _project(vectors.reshape(-1, vectors.shape[2]), context.seed)
        colour = np.repeat(np.arange(len(vectors)), vectors.shape[1])
        panel.scatter(*places.T, c=colour, cmap="gist_rainbow", s=4, linewidths=0)
        panel.set_title(f"{split}: {len(vectors)} instruments", fontsize=10)
        panel.set_xticks([])
        panel.set_yticks([])
    save_figure(figure, folder / f"tsne-{context.split}.png")


def _sample(view: ClipEmbeddings, context: EvaluationContext) -> Floats:
    """Return embeddings of some clips of some instruments, `[instruments, clips, dim]`."""
    if view is context.own:
        places: Sequence[int] = context.held.chosen
    else:
        drawn = np.random.default_rng(context.seed).permutation(len(view.instruments))
        places = [int(place) for place in drawn[:SHOWN_INSTRUMENTS]]
    return view.of_instruments(places, 0, min(SHOWN_CLIPS, view.bank.clips_per_instrument))


def _project(vectors: Floats, seed: int) -> Floats:
    """Project `[n, dim]` to `[n, 2]` by t-SNE."""
    from sklearn.manifold import TSNE

    if len(vectors) < MIN_SHOWN:
        raise TrainingError(
            f"{len(vectors)} clips are too few for a t-SNE", value=len(vectors), limit=MIN_SHOWN
        )
    perplexity = min(30.0, len(vectors) / 4)
    flat: Floats = TSNE(
        metric="cosine", init="random", perplexity=perplexity, random_state=seed
    ).fit_transform(vectors)
    return flat


def figures(report: Report, folder: Path) -> None:
    """Draw the tables of kind `confusion`, `sizes` and `numbers`."""
    draw = {"confusion": confusion, "sizes": recall_by_size, "numbers": recall_by_number}
    for table in report.tables:
        if table.kind in draw:
            draw[table.kind](table, folder)


def confusion(table: Table, folder: Path) -> None:
    """Draw `confusion-SPLIT.png`: rows are true families, columns the families that the own slots retrieve."""
    draw_confusion(table, folder / f"confusion-{table.split}.png", "retrieved by the own slot")


def draw_confusion(table: Table, path: Path, columns: str) -> None:
    """Draw a table of shares: rows are true families, `columns` says what the columns are."""
    figure = new_figure(5.5, 5)
    panel = figure.subplots()
    names, told = [row.name for row in table.rows], table.columns
    shares = np.array([[row.figures[name].value for name in told] for row in table.rows])
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    panel.set_xticks(range(len(told)), told, rotation=60, ha="right", fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.1:
            colour = "white" if share > 0.5 else "black"
            panel.text(
                column,
                row,
                f"{share:.1f}".removeprefix("0"),
                ha="center",
                va="center",
                fontsize=7,
                color=colour,
            )
    panel.set_xlabel(columns)
    panel.set_ylabel("true family")
    save_figure(figure, path)


def draw_spread(table: Table, path: Path, label: str) -> None:
    """Draw a box for each row of a table, over the figures of the row, and the figures as points."""
    figure = new_figure(7, 4)
    panel = figure.subplots()
    values = [[one.value for one in row.figures.values()] for row in table.rows]
    names = [row.name for row in table.rows]
    panel.boxplot(values, tick_labels=names, showfliers=False, medianprops={"color": "black"})
    for place, row in enumerate(values, 1):
        panel.scatter([place] * len(row), row, s=12, alpha=0.6, zorder=3)
    panel.set_ylabel(label)
    panel.tick_params(axis="x", rotation=30)
    panel.grid(axis="y", alpha=0.3)
    save_figure(figure, path)


def recall_by_size(table: Table, folder: Path) -> None:
    """Draw `recall-size-SPLIT.png`: recall of the dry mixtures by library size, and chance."""
    dry = [row for row in table.rows if "·" in row.name and row.name.endswith("±6 dB")]
    chance = [row for row in table.rows if row.is_chance]
    size = [int(row.name.partition(" ")[0].replace(",", "")) for row in dry]
    lines = {name: [row.figures[name].value for row in dry] for name in RECALLS}
    lines["chance, R@5 any slot"] = [row.figures["recall_any_5"].value for row in chance]
    _lines(size, lines, "instruments in the library", folder / f"recall-size-{table.split}.png", is_log=True)


def recall_by_number(table: Table, folder: Path) -> None:
    """Draw `recall-number-SPLIT.png`: recall by the number of instruments in the mixture."""
    number = [int(row.name.partition(" ")[0]) for row in table.rows]
    lines = {name: [row.figures[name].value for row in table.rows] for name in RECALLS}
    _lines(number, lines, "instruments in the mixture", folder / f"recall-number-{table.split}.png")


def _lines(
    x: Sequence[int], lines: Mapping[str, Sequence[float]], label: str, path: Path, is_log: bool = False
) -> None:
    figure = new_figure(6, 4)
    panel = figure.subplots()
    for name, values in lines.items():
        style = "--" if "_any_" in name else ":" if "chance" in name else "-"
        panel.plot(x, values, style, marker="o", markersize=3, label=COLUMNS.get(name, name))
    if is_log:
        panel.set_xscale("log")
    panel.set_ylim(0, 1)
    panel.set_xlabel(label)
    panel.set_ylabel("recall of true stems")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7)
    save_figure(figure, path)
