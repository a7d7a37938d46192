"""Opens or renders a data set in a process of its own; prints times and memory as JSON (`python -m benchmarks.dataset_probe`).

Memory is read from Linux in MiB: VmRSS is the present, VmHWM the peak (`ru_maxrss` would include the parent's).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.figures import NotMeasured
from training.bank import Bank
from training.nlakh.dataset import TRAIN, Kind
from training.nlakh.make import make
from training.nlakh.spec import InputPaths, RenderSpec

READS, BATCH = 1_000, 50
SEED = 0


def memory_mib(field: str) -> float:
    """Read a memory field of /proc/self/status, in MiB. Raises NotMeasured where the system has none."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise NotMeasured(f"this system does not report {field}")


def open_and_read(kind: Kind, folder: Path) -> dict[str, float]:
    """Open a data set and read a thousand random clips, as training does, in batches."""
    before = memory_mib("VmRSS")
    begun = time.perf_counter()
    bank = Bank.open(folder, kind=kind)
    opened = time.perf_counter()
    after_opening = memory_mib("VmRSS")
    chosen = np.random.default_rng(SEED).integers(bank.num_clips, size=READS)
    reading = time.perf_counter()
    for first in range(0, READS, BATCH):
        bank.rows(chosen[first : first + BATCH])
    return {
        "clips": bank.num_clips,
        "open_seconds": opened - begun,
        "read_seconds": time.perf_counter() - reading,
        "open_mib": after_opening - before,
        "read_mib": memory_mib("VmRSS") - before,
        "peak_mib": memory_mib("VmHWM"),
    }


def render(kind: Kind, notes: Path, midi: Path, out: Path, count: int) -> dict[str, float]:
    """Render a data set with one worker, which is this process."""
    spec = RenderSpec(kind=kind, layout="compact", counts=((TRAIN, count),), valid_share=0.0)
    dataset = make(spec, InputPaths((notes,), midi), out, Console(quiet=True))
    return {"clips": dataset.splits[TRAIN].clips, "peak_mib": memory_mib("VmHWM")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dataset_probe")
    parser.add_argument("what", choices=("open", "render"))
    parser.add_argument("kind", choices=("single", "multi"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--notes", type=Path)
    parser.add_argument("--midi", type=Path)
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    if options.what == "open":
        found = open_and_read(options.kind, options.folder)
    else:
        found = render(options.kind, options.notes, options.midi, options.folder, options.count)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
