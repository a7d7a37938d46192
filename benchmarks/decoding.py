"""Decoding a four-minute mp3 to 16 kHz mono: the whole file, and its last 30 s.

Counts the processor time of one core. The cost of a range should depend on its length, not on its position.
"""

import time
from pathlib import Path

from benchmarks.figures import Measurement
from benchmarks.lab import Lab
from models.audio import decode
from models.front_end import FrontEndConfig

REPEATS = 3


def measure(lab: Lab) -> list[Measurement]:
    path = lab.song_mp3()
    return [
        Measurement("decoding a 4-minute mp3", _seconds(path, 0.0), "s"),
        Measurement("decoding its last 30 s", _seconds(path, 210.0), "s"),
    ]


def _seconds(path: Path, start: float) -> float:
    times = []
    for _ in range(REPEATS):
        begun = time.process_time()
        decode(path, sample_rate=FrontEndConfig().sample_rate, start_seconds=start)
        times.append(time.process_time() - begun)
    return min(times)
