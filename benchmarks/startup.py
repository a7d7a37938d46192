"""From starting the process to `/readyz` saying 200, over a data folder in which the library is enrolled.

The median of three starts; the files are in the page cache.
"""

from statistics import median

from benchmarks.figures import Measurement, Target
from benchmarks.lab import Lab

STARTS = 3


def measure(lab: Lab) -> list[Measurement]:
    lab.server()
    times = []
    for _ in range(STARTS):
        lab.stop()
        times.append(lab.server().ready_seconds)
    detail = ", ".join(f"{seconds:.2f}" for seconds in times)
    return [Measurement("ready, library enrolled", median(times), "s", Target(10), detail)]
