"""The running service over HTTP: first enrollment, short and long queries, memory, and later starts.

One client sends one request after another. The files are in the page cache.
"""

from statistics import median, quantiles

from benchmarks.figures import Measurement, Target
from benchmarks.lab import Lab

WARM_UP, SHORT_QUERIES, LONG_QUERIES, STARTS = 5, 40, 3, 3
MAX_MEMORY_GIB = 1.5


def enrollment(lab: Lab) -> list[Measurement]:
    """Enrolling the 136 presets of the default library on the first start over an empty data folder.

    Counted from the server's first answer until `/readyz` is 200: rendering, embedding, previews and the index.
    """
    lab.server()
    server = lab.first_start
    assert server is not None
    instruments = server.readiness["instruments"]
    detail = f"{instruments} instruments; the process answered after {server.alive_seconds:.1f} s"
    seconds = server.ready_seconds - server.alive_seconds
    return [Measurement("enrolling the default library", seconds, "s", Target(60), detail)]


def short_query(lab: Lab) -> list[Measurement]:
    """The median time of a ten-second WAV from sending it to the whole answer, after a warm-up."""
    server, path = lab.server(), lab.mixture_wav()
    for _ in range(WARM_UP):
        server.query(path)
    answers = [server.query(path) for _ in range(SHORT_QUERIES)]
    times = [1000 * seconds for seconds, _ in answers]
    inside = answers[-1][1]["timing_ms"]
    shares = ", ".join(f"{name} {value:.1f}" for name, value in inside.items())
    detail = f"p95 {quantiles(times, n=20)[-1]:.0f} ms of {SHORT_QUERIES}; inside: {shares}"
    return [Measurement("10 s WAV query, p50", median(times), "ms", Target(300), detail)]


def long_query(lab: Lab) -> list[Measurement]:
    """The median time of a four-minute stereo mp3: upload, decoding, every window, linking, search."""
    server, path = lab.server(), lab.song_mp3()
    answers = [server.query(path) for _ in range(LONG_QUERIES)]
    best_seconds, answer = min(answers, key=lambda one: one[0])
    shares = ", ".join(f"{name} {value:.0f}" for name, value in answer["timing_ms"].items())
    detail = f"best {best_seconds:.2f} s of {LONG_QUERIES}; inside (ms): {shares}"
    seconds = median(seconds for seconds, _ in answers)
    return [Measurement("4-minute mp3 query", seconds, "s", Target(8), detail)]


def memory(lab: Lab) -> list[Measurement]:
    """Resident memory of the server after a short and a long query, and its peak (VmRSS and VmHWM)."""
    server, limit = lab.server(), Target(MAX_MEMORY_GIB)
    for path in (lab.mixture_wav(), lab.song_mp3()):
        server.query(path)
    now, peak = (server.memory_mib(field) / 1024 for field in ("VmRSS", "VmHWM"))
    detail = "the first enrollment is included if this run did it"
    return [
        Measurement("resident memory after queries", now, "GiB", limit),
        Measurement("resident memory, peak", peak, "GiB", limit, detail),
    ]


def startup(lab: Lab) -> list[Measurement]:
    """The median time from starting the process until `/readyz` is 200, with the library enrolled."""
    lab.server()
    times = []
    for _ in range(STARTS):
        lab.stop()
        times.append(lab.server().ready_seconds)
    detail = ", ".join(f"{seconds:.2f}" for seconds in times)
    return [Measurement("ready, library enrolled", median(times), "s", Target(10), detail)]
