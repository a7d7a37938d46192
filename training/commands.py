"""What the training commands share on the terminal: their options, one clear line for a user's mistake, how a slice ended.

Follows the exit codes of the `showme` command: 0 done, 2 a mistake of the caller.
"""

import argparse
import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from models.device import DEVICES
from models.errors import ShowMeError
from training import parallel
from training.nlakh.dataset import TRAIN

Command = Callable[[list[str] | None], int]


def guarded(command: Command) -> Callable[..., int]:
    """Turn our own errors into one line on stderr and exit status 2; the arguments may be left out."""

    @functools.wraps(command)
    def run(argv: list[str] | None = None) -> int:
        try:
            return command(argv)
        except ShowMeError as error:
            print(f"{error.title}: {error.message}", file=sys.stderr)
            return 2

    return run


def arguments(description: str) -> argparse.ArgumentParser:
    """The options both training commands share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--config", type=Path, required=True, help="a TOML file or the name of a shipped recipe"
    )
    parser.add_argument("--bank", type=Path, help="Nlakh-single, in either layout")
    parser.add_argument("--split", default=TRAIN, help="of the data set")
    parser.add_argument(
        "--out", type=Path, required=True, help="the run's folder; a run found there is resumed"
    )
    parser.add_argument("--resume", action="store_true", help="refuse to start a new run")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument(
        "--minutes", type=float, help="stop after this slice and save; the next call carries on"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override, e.g. optimizer.name='\"adam\"'",
    )
    return parser


def tell(done: Path | None, out: Path) -> None:
    """Say, once for all ranks, how the slice ended."""
    if parallel.leads():
        print(f"wrote {done}" if done else f"slice over; the run in {out} carries on with the same command")


def commit() -> str:
    """The checkout's commit, or "unknown" outside one."""
    folder = Path(__file__).parent
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else "unknown"
