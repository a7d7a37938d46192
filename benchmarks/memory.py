"""Resident memory of the server after it has answered short and long queries.

VmRSS and VmHWM of the process: what it holds now, and the most it ever held.
"""

from benchmarks.figures import Measurement, Target
from benchmarks.lab import Lab

LIMIT_GIB = 1.5


def measure(lab: Lab) -> list[Measurement]:
    server = lab.server()
    for path in (lab.mixture_wav(), lab.song_mp3()):
        server.query(path)
    now, peak = (server.memory_mib(field) / 1024 for field in ("VmRSS", "VmHWM"))
    return [
        Measurement("resident memory after queries", now, "GiB", Target(LIMIT_GIB)),
        Measurement(
            "resident memory, peak",
            peak,
            "GiB",
            Target(LIMIT_GIB),
            "the first enrollment, if this run did it",
        ),
    ]
