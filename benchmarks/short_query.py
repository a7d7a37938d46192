"""A ten-second WAV over HTTP: the median of the time from sending to the whole answer.

One client, one request after another, after a warm-up.
"""

from statistics import median, quantiles

from benchmarks.figures import Measurement, Target
from benchmarks.lab import Lab

WARM_UP, REPEATS = 5, 40


def measure(lab: Lab) -> list[Measurement]:
    server, path = lab.server(), lab.mixture_wav()
    for _ in range(WARM_UP):
        server.query(path)
    asked = [server.query(path) for _ in range(REPEATS)]
    times = [1000 * seconds for seconds, _ in asked]
    inside = asked[-1][1]["timing_ms"]
    shares = ", ".join(f"{name} {value:.1f}" for name, value in inside.items())
    detail = f"p95 {quantiles(times, n=20)[-1]:.0f} ms of {REPEATS}; inside: {shares}"
    return [Measurement("10 s WAV query, p50", median(times), "ms", Target(300), detail)]
