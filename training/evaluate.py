"""`showme evaluate`: measure the encoders on instruments they never heard, in the shape of the paper's Table 2.

Kim et al. 2022, section 5. Without `--bank` the presets of the default SoundFont that have no near-duplicate among the training
instruments are rendered first; nothing needs to be downloaded.
"""

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.device import DEVICES
from models.encoder_pair import EncoderPair
from training.bank import Bank
from training.commands import guarded
from training.config import load_recipe
from training.effects.chain import Effects
from training.held_out import HeldOut, choose_library
from training.nlakh.dataset import DATASET_FILE, TRAIN, VALID, read_dataset
from training.nlakh.make import DEFAULT_NOTES, Order, make
from training.protocols import NUM_ENROLLED, NUM_TRIALS, retrieval, verification

DEFAULT_SPLIT, DEFAULT_CLIPS = "test-default", 32

COLUMNS = {
    "family_f1": "family\nF1",
    "instrument_f1": "instr.\nF1",
    "map": "mAP\n",
}


def measure(pair: EncoderPair, bank: Bank, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one bank of held-out instruments."""
    everyone = HeldOut(bank, tuple(range(len(bank.instruments))), NUM_ENROLLED)
    library = choose_library(bank, min(options.library_size, len(bank.instruments)), options.seed)
    held = HeldOut(bank, library, options.enrolled)
    effects = Effects(load_recipe(options.effects).effects, bank.sample_rate) if options.effects else None
    return {
        "split": bank.instruments[0].split,
        "library_size": len(library),
        "enrolled_clips": options.enrolled,
        "mixtures": options.mixtures,
        "seed": options.seed,
        "verification": verification(pair, everyone, options.seed),
        "effects": str(options.effects) if options.effects else None,
        "retrieval": retrieval(pair, held, options.mixtures, options.seed, effects),
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """Two tables: verification, and retrieval in the paper's columns."""
    single = report["verification"]
    console.print(
        f"\n[bold]{report['split']}[/]: single encoder, {single['instruments']} instruments, {NUM_ENROLLED} clips enrolled, "
        f"{NUM_TRIALS} + {NUM_TRIALS} trials\n"
        f"EER {single['eer']:.3f} (mean per instrument), {single['eer_pooled']:.3f} (pooled), chance .500; "
        f"nearest instrument right {single['top1']:.3f}, chance {single['chance_top1']:.3f}"
    )
    effects = report["effects"]
    table = Table(
        title=f"multi encoder: {report['mixtures']} mixtures of 2-9, library of {report['library_size']}, "
        f"{report['enrolled_clips']} clips enrolled" + (f", effects of {effects}" if effects else ""),
        title_justify="left",
    )
    table.add_column("slots")
    for title in COLUMNS.values():
        table.add_column(f"{title}\nmacro", justify="right")
        table.add_column(f"{title}\nwgt.", justify="right")
    table.add_column("recall\n@5", justify="right")
    table.add_column("count\nerror", justify="right")
    for name, row in report["retrieval"].items():
        keys = [f"{key}_{kind}" for key in COLUMNS for kind in ("macro", "weighted")]
        cells = [f"{row[key]:.3f}" if key in row else "-" for key in keys]
        table.add_row(name, *cells, f"{row['recall_at_5']:.3f}", f"{row['count_error']:.2f}")
    console.print(table)


def default_bank(cache: Path, console: Console) -> Path:
    """The default SoundFont's held-out presets, rendered into `cache` unless they lie there already."""
    order = Order(
        kind="single",
        layout="compact",
        notes=(DEFAULT_NOTES,),
        midi=None,
        out=cache / DEFAULT_SPLIT,
        counts=((DEFAULT_SPLIT, DEFAULT_CLIPS),),
        drums=True,
        phrases="varied",
        workers=os.cpu_count() or 1,
    )
    make(order, console)
    return order.out


def open_banks(options: argparse.Namespace, console: Console) -> list[Bank]:
    """The asked-for splits of a data set; every held-out one when none is named."""
    if options.bank is None:
        return [Bank.open(default_bank(options.cache, console), DEFAULT_SPLIT)]
    splits = options.split
    if splits is None and (options.bank / DATASET_FILE).exists():
        splits = [split for split in read_dataset(options.bank).splits if split != TRAIN]
    return [Bank.open(options.bank, split) for split in splits or [VALID]]


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="showme evaluate", description=(__doc__ or "").partition("\n\n")[0])
    out.add_argument("--bank", type=Path, help="a data set (Nlakh-single) with held-out instruments")
    out.add_argument(
        "--split", action="append", help="of the data set; repeatable; all but train if left out"
    )
    out.add_argument("--weights", type=Path, help="a folder with single.safetensors and multi.safetensors")
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument("--mixtures", type=int, default=1000)
    out.add_argument("--library-size", type=int, default=53)
    out.add_argument(
        "--enrolled", type=int, default=NUM_ENROLLED, help="clips that enrol an instrument in the library"
    )
    out.add_argument("--effects", type=Path, help="hear the mixtures through the effects of this recipe")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument(
        "--cache", type=Path, default=Path("data/evaluation"), help="where default clips are rendered"
    )
    out.add_argument("--json", action="store_true")
    return out


@guarded
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    pair = EncoderPair.load(options.weights, options.device)
    console = Console(stderr=options.json)
    reports = [measure(pair, bank, options) for bank in open_banks(options, Console(stderr=True))]
    if options.json:
        print(json.dumps({"encoder": pair.encoder_hash, "device": pair.device, "reports": reports}, indent=1))
        return 0
    console.print(f"encoder {pair.encoder_hash[:19]}… on {pair.device} ({platform.machine()})")
    for report in reports:
        print_report(report, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
