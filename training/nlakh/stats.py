"""Describes a data set (its row of the paper's table 1, plots) and a collection of MIDI files (counts) on the terminal.

Table 1 of Kim et al. 2022: size in hours, number of instruments, whether there are stems.
"""

from collections import Counter

import numpy as np
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from training.midi import MidiCollection, family_of_track
from training.nlakh.dataset import Dataset
from training.phrases import PhraseBook
from training.sections import HOP_SECONDS, SectionBook

PLOT_COLUMNS = 40
BLOCKS = " ▏▎▍▌▋▊▉█"
MAX_TRACKS = 9  # the paper's limit for a mixture


def bar(value: float, most: float, columns: int = PLOT_COLUMNS) -> str:
    """A bar of block characters, `columns` long where `value` is `most`; any value above 0 is visible."""
    eighths = round(8 * columns * value / most) if most else 0
    eighths = max(eighths, 1) if value else eighths
    return BLOCKS[8] * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")


def plot(title: str, counts: dict[str, int], unit: str) -> Table:
    """A table with a row for each key: name, bar, count and share."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column("name", justify="right")
    table.add_column("bar", min_width=PLOT_COLUMNS)
    table.add_column("count", justify="right")
    table.add_column("share", justify="right", style="dim")
    total, most = sum(counts.values()), max(counts.values(), default=0)
    for name, count in counts.items():
        table.add_row(
            name, Text(bar(count, most), style="cyan"), f"{count:,} {unit}", f"{count / max(total, 1):.1%}"
        )
    return table


def table_1(dataset: Dataset) -> Table:
    """The row of the paper's table 1, then one for each split."""
    table = Table(title=f"Nlakh-{dataset.kind} ({dataset.layout})", title_justify="left")
    for column in ("dataset", "size (hours)", "instruments (families)", "stems"):
        table.add_column(column, justify="left" if column == "dataset" else "right")
    known = {row.family for row in dataset.instruments if row.family}
    hours = sum(info.hours for info in dataset.splits.values())
    name = f"Nlakh-{dataset.kind} (ours)"
    table.add_row(
        name, f"{hours:,.2f}", f"{len(dataset.instruments):,} ({len(known)})", "yes", end_section=True
    )
    for split, info in dataset.splits.items():
        count = (
            f"{info.mixtures:,} mixtures of {info.clips:,} stems"
            if info.mixtures
            else f"{info.clips:,} clips"
        )
        table.add_row(f"{split}: {count}", f"{info.hours:,.2f}", f"{info.instruments:,}", "")
    return table


def report(dataset: Dataset) -> Group:
    """Everything `showme data stats` prints."""
    noun = "stems" if dataset.kind == "multi" else "clips"
    parts = [table_1(dataset)]
    if dataset.instruments_per_mixture:
        parts.append(plot("instruments per mixture", dataset.instruments_per_mixture, "mixtures"))
    families = dataset.families.items()
    parts.append(
        plot("instruments per family", {name: row["instruments"] for name, row in families}, "instruments")
    )
    parts.append(plot(f"{noun} per family", {name: row["clips"] for name, row in families}, noun))
    return Group(*(item for part in parts for item in (Text(""), part)))


def print_report(dataset: Dataset, console: Console) -> None:
    """Print the statistics, then the sources, the seed and the number of faults."""
    console.print(report(dataset))
    sources = ", ".join(f"{source.name} ({source.files:,} files)" for source in dataset.sources)
    console.print(
        f"\nfrom {sources}; seed {dataset.seed}; {len(dataset.faults)} parts left out", highlight=False
    )


def describe_midi(midi: MidiCollection) -> list[str]:
    """The lines that `showme data midi` prints."""
    kinds = Counter(reason.split(":")[0] for _, reason in midi.faults)
    families = Counter(
        family_of_track(int(program), bool(is_drum))
        for program, is_drum in zip(midi.programs, midi.is_drum, strict=True)
    )
    phrases, sections = PhraseBook(midi, drums=True), SectionBook(midi)
    able = phrases.tracks_of_family()
    reasons = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    lines = [
        f"files      {len(midi.files):>12,}",
        f"damaged    {len(midi.faults):>12,}" + (f"   ({reasons})" if reasons else ""),
        f"tracks     {len(midi.spans):>12,}",
        f"notes      {midi.num_notes:>12,}",
        f"hours      {midi.hours:>12,.1f}",
        "",
        "family           tracks   with a phrase",
        *(
            f"{family:<12} {count:>10,} {able.get(family, 0):>15,}"
            for family, count in families.most_common()
        ),
        "",
        f"sections   {sections.num_sections:>12,}   (windows of 5 s every {HOP_SECONDS:g} s, without drums)",
    ]
    several = np.zeros(MAX_TRACKS + 1, np.int64)
    for tracks, count in sections.sections_by_tracks.items():
        several[min(tracks, MAX_TRACKS)] += count
    labels = [*(f"{tracks}" for tracks in range(2, MAX_TRACKS)), f"{MAX_TRACKS}+"]
    lines += [
        f"{label + ' parts':<10} {count:>12,}" for label, count in zip(labels, several[2:], strict=True)
    ]
    return lines
