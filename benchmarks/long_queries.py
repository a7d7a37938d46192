"""Memory of the running service while it answers several long queries at once, and what it keeps of it afterwards.

The files are sent together, so that some wait decoded while others are encoded. Linux only (VmRSS, VmHWM).
"""

from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Measurement
from benchmarks.lab import Lab

QUERIES, MINUTES = 2, 10


def measure(lab: Lab) -> list[Measurement]:
    """Memory above that of the idle service: its peak during the queries, and what stays resident after them."""
    server, path = lab.server(), lab.song_mp3(60.0 * MINUTES)
    server.query(lab.mixture_wav())  # what the first query of all loads is not counted
    idle = server.memory_mib("VmRSS")
    server.forget_peak()
    with ThreadPoolExecutor(QUERIES) as clients:
        seconds = [took for took, _ in clients.map(server.query, [path] * QUERIES)]
    peak, kept = server.memory_mib("VmHWM") - idle, server.memory_mib("VmRSS") - idle
    detail = f"{QUERIES} mp3 files of {MINUTES} minutes at once; idle {idle:.0f} MiB; all answered after {max(seconds):.0f} s"
    return [
        Measurement("memory of long queries, peak", peak, "MiB", detail=detail),
        Measurement("memory kept after long queries", kept, "MiB"),
    ]
