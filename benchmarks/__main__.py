"""Command `python -m benchmarks` (`make bench`): print each measured number beside its target.

Measurements that need no server run first, so that the server does not disturb them.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import (
    datasets,
    decoding,
    effects,
    long_queries,
    machine,
    rendering,
    retrieval,
    service,
    training,
)
from benchmarks.figures import Measurement, NotMeasured, as_json, show_table
from benchmarks.lab import Lab
from models.errors import ShowMeError

WIDTH = 150  # columns of the table, when it goes to a file or a pipe

MEASUREMENTS: dict[str, Callable[[Lab], list[Measurement]]] = {
    "rendering": rendering.measure,
    "datasets": datasets.measure,
    "effects": effects.measure,
    "training": training.measure,
    "decoding": decoding.measure,
    "enrollment": service.enrollment,
    "short-query": service.short_query,
    "long-query": service.long_query,
    "memory": service.memory,
    "long-queries": long_queries.measure,
    "retrieval": retrieval.measure,
    "startup": service.startup,
}


def main() -> int:
    """Returns exit status 0 if every measurement ran, whether or not the targets were met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory on this machine; takes up to 4 GB of temporary space.",
    )
    parser.add_argument(
        "--only", action="append", choices=MEASUREMENTS, help="run this measurement only; may be repeated"
    )
    parser.add_argument(
        "--notes", type=Path, metavar="DIR", help="also render from this folder of NSynth or a note bank"
    )
    parser.add_argument(
        "--midi", type=Path, metavar="DIR", help="render these MIDI files instead of composed ones"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    progress, figures = Console(stderr=True), []
    description = machine.describe()
    with tempfile.TemporaryDirectory(prefix="showme-bench-") as folder:
        lab = Lab(Path(folder), options.notes, options.midi)
        try:
            for name in options.only or MEASUREMENTS:
                with progress.status(f"measuring {name}"):
                    figures += MEASUREMENTS[name](lab)
        except (NotMeasured, ShowMeError) as error:
            progress.print(str(error), style="red", markup=False)
            return 1
        finally:
            lab.stop()
    if options.json:
        print(as_json(figures, description))
    else:
        show_table(figures, description, Console(width=None if sys.stdout.isatty() else WIDTH))
    return 0


if __name__ == "__main__":
    sys.exit(main())
