"""Command `python -m benchmarks` (`make bench`): measure, and print each number beside its target.

Measurements without the server come first, so that nothing runs beside them.
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
    enrollment,
    long_query,
    machine,
    memory,
    rendering,
    retrieval,
    short_query,
    startup,
    training,
)
from benchmarks.figures import Measurement, NotMeasured, as_json, show_table
from benchmarks.lab import Lab
from models.errors import ShowMeError

WIDTH = 150  # of the table in a file or a pipe

MEASUREMENTS: dict[str, Callable[[Lab], list[Measurement]]] = {
    "rendering": rendering.measure,
    "datasets": datasets.measure,
    "effects": effects.measure,
    "training": training.measure,
    "decoding": decoding.measure,
    "enrollment": enrollment.measure,
    "short-query": short_query.measure,
    "long-query": long_query.measure,
    "memory": memory.measure,
    "retrieval": retrieval.measure,
    "startup": startup.measure,
}


def main() -> int:
    """Exit status 0 when everything could be measured, whether or not the targets were met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed and memory on this machine; takes up to 4 GB of temporary space.",
    )
    parser.add_argument(
        "--only", action="append", choices=MEASUREMENTS, help="measure this alone; may be repeated"
    )
    parser.add_argument(
        "--notes", type=Path, metavar="DIR", help="also render from these: NSynth or a note bank"
    )
    parser.add_argument("--midi", type=Path, metavar="DIR", help="render these MIDI files, not composed ones")
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
