"""Enrolling the default library, 128 presets, on the first start over an empty data folder.

From the first answer of the server to `/readyz` saying 200: rendering, embedding, previews and the index.
"""

from benchmarks.figures import Measurement, Target
from benchmarks.lab import Lab


def measure(lab: Lab) -> list[Measurement]:
    lab.server()
    server = lab.first_start
    assert server is not None
    instruments = server.readiness["instruments"]
    detail = f"{instruments} instruments; the process answered after {server.alive_seconds:.1f} s"
    seconds = server.ready_seconds - server.alive_seconds
    return [Measurement("enrolling the default library", seconds, "s", Target(60), detail)]
