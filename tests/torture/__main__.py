"""Command `python -m tests.torture` (`make torture`): attacks the promises of docs/RELIABILITY.md and prints one table.

Every attack works in folders of its own with small random encoders. The exit status is 1 if anything was lost or inconsistent;
the folders are kept then, with the journals of what was acknowledged.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import faiss
import torch
from rich.console import Console
from sklearn.manifold import TSNE  # noqa: F401  # the map's, imported before children are forked

from tests.torture import (
    contract,
    damaged_vectors,
    full_disk,
    index_kills,
    io_errors,
    load,
    service_kills,
    stopping,
)
from tests.torture.outcome import Attack, Options, Outcome, as_json, show_table

ATTACKS: dict[str, Attack] = {
    "index-kills": index_kills.attack,
    "service-kills": service_kills.attack,
    "damaged-vectors": damaged_vectors.attack,
    "full-disk": full_disk.attack,
    "io-errors": io_errors.attack,
    "contract": contract.attack,
    "sigterm": stopping.attack,
    "load": load.attack,
}
MAX_SHOWN = 20  # faults of one attack
WIDTH = 150  # columns of the table, when it goes to a file or a pipe


def main() -> int:
    options, names, is_json = _arguments()
    torch.set_num_threads(1)  # a process that is forked must have one thread
    faiss.omp_set_num_threads(1)
    logging.disable(logging.CRITICAL)  # damaged files are logged, as they should be
    console, outcomes = Console(stderr=True), []
    folder = Path(tempfile.mkdtemp(prefix="showme-torture-"))
    for name in names:
        console.print(f"attacking: {name}", style="dim")
        place = folder / name
        place.mkdir()
        outcome = ATTACKS[name](replace(options, folder=place))
        for fault in outcome.faults[:MAX_SHOWN]:
            console.print(fault, style="red", markup=False)
        if outcome.passed:
            shutil.rmtree(place)
        outcomes.append(outcome)
    return _report(outcomes, folder, is_json, console)


def _arguments() -> tuple[Options, list[str], bool]:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--only", action="append", choices=ATTACKS, help="this attack only; may be repeated")
    parser.add_argument("--tries", type=int, help="tries of each attack instead of its own number")
    parser.add_argument("--seed", type=int, default=0, help="what all that is random is drawn from")
    parser.add_argument("--minutes", type=float, default=15.0, help="the longest that one attack may take")
    parser.add_argument(
        "--short", action="store_true", help="few tries of each attack, as the tests make them"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    options = Options(Path(), given.tries, given.seed, given.minutes, given.short)
    return options, given.only or list(ATTACKS), given.json


def _report(outcomes: list[Outcome], folder: Path, is_json: bool, console: Console) -> int:
    if is_json:
        print(as_json(outcomes))
    else:
        show_table(outcomes, Console(width=None if sys.stdout.isatty() else WIDTH))
    if all(one.passed for one in outcomes):
        shutil.rmtree(folder)
        return 0
    console.print(f"the folders that were attacked are in {folder}", style="red")
    return 1


if __name__ == "__main__":
    sys.exit(main())
