"""Command `python -m tests.fuzz`: sends hostile files to the decode workers and a service, and prints what became of them.

The exit status is 1 if one was not answered by a clear error, or if the memory of the service has grown.
"""

import argparse
import json
import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

import torch

from tests.fuzz.campaign import FuzzReport, by_format, run
from tests.fuzz.corpus import FORMATS

MAX_GROWN_BYTES = 64 * 1024**2
STEP_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first input, to look at one alone"
    )
    parser.add_argument("--only", help=f"formats with commas between, of {','.join(FORMATS)}")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this time")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    given = parser.parse_args()
    formats = tuple(given.only.split(",")) if given.only else FORMATS
    if unknown := set(formats) - set(FORMATS):
        parser.error(f"unknown formats: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)  # damaged files are logged, as they should be
    options = {"seed": given.seed, "formats": formats, "first": given.first, "minutes": given.minutes}
    report = run(given.inputs, progress=_progress(), **options)
    print(json.dumps(asdict(report)) if given.json else _lines(report))
    return int(report.lost > 0 or report.grown_bytes > MAX_GROWN_BYTES)


def _progress() -> Callable[[int], None]:
    """Return a function that tells the number of inputs now and then."""
    told = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told
        if time.monotonic() - told >= STEP_SECONDS:
            told = time.monotonic()
            print(f"{done} inputs", file=sys.stderr, flush=True)

    return tell


def _lines(report: FuzzReport) -> str:
    lines = ["format  accepted  refused"]
    lines += [
        f"{kind:6}  {accepted:8}  {refused:7}" for kind, (accepted, refused) in by_format(report).items()
    ]
    lines += [
        f"{report.tries} inputs of seed {report.seed} in {report.seconds:.0f} s",
        f"workers killed: {dict(report.killed) or 'none'}",
        f"unexpected errors in a worker: {dict(report.unexpected) or 'none'}",
        f"answers of the service: {dict(sorted(report.over_http.items())) or 'none asked'}",
        f"memory of the service grew by {report.grown_bytes / 1024**2:.1f} MiB after the first quarter",
        f"crashes of the service, and answers that were no clear error: {report.lost}",
    ]
    return "\n".join([*lines, *report.told, *report.faults[:20]])


if __name__ == "__main__":
    sys.exit(main())
