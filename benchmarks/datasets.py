"""Data sets on disk: time and memory to open a million clips and a hundred thousand mixtures, and the peak of rendering.

Each measurement runs in a process of its own, after its imports. Opening counts the memory it adds. The memory that reading
adds are pages of mapped files, which the system reclaims when it needs them.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Measurement, NotMeasured, Target
from benchmarks.lab import Lab
from benchmarks.server import ROOT
from benchmarks.sparse_datasets import write_sparse_multi, write_sparse_single
from training.nlakh.dataset import Kind

CLIPS, MIXTURES = 1_000_000, 100_000
SECONDS, MEMORY_MIB, GROWTH = Target(1.0), Target(200), Target(1.1)
FEW_CLIPS, FEW_MIXTURES, MORE = 125, 256, 8  # clips per instrument; mixtures; factor of the second rendering


def measure(lab: Lab) -> list[Measurement]:
    data = lab.data
    single, multi = lab.folder / "sparse-single", lab.folder / "sparse-multi"
    write_sparse_single(single, CLIPS)
    write_sparse_multi(multi, MIXTURES)
    return [
        *_opening("a million clips", "single", single),
        *_opening("100,000 mixtures", "multi", multi),
        _growth("Nlakh-single", "single", data.nsynth_small(), data.midi(), FEW_CLIPS, lab.folder / "grown"),
        _growth("Nlakh-multi", "multi", data.note_bank(), data.midi(), FEW_MIXTURES, lab.folder / "grown"),
    ]


def _opening(name: str, kind: Kind, folder: Path) -> list[Measurement]:
    found = _probe("open", kind, folder)
    clips = f"{found['clips']:,.0f} clips, compact, peak of the process {found['peak_mib']:.0f} MiB"
    reads = f"1,000 random ones in {found['read_seconds']:.2f} s"
    return [
        Measurement(f"opening {name}", found["open_seconds"], "s", SECONDS, clips),
        Measurement(f"memory taken by opening {name}", found["open_mib"], "MiB", MEMORY_MIB),
        Measurement("… and reading 1,000 of its clips", found["read_mib"], "MiB", MEMORY_MIB, reads),
    ]


def _growth(name: str, kind: Kind, notes: Path, midi: Path, count: int, out: Path) -> Measurement:
    """Ratio of peak memory between rendering `MORE` times `count` and `count`, with one worker."""
    peaks, clips = [], []
    for wanted in (count, MORE * count):
        found = _probe("render", kind, out, notes=notes, midi=midi, count=wanted)
        shutil.rmtree(out)
        peaks.append(found["peak_mib"])
        clips.append(found["clips"])
    detail = (
        f"{peaks[0]:.0f} MiB for {clips[0]:,.0f} clips, {peaks[1]:.0f} MiB for {clips[1]:,.0f}, one worker"
    )
    return Measurement(
        f"peak of {name}, {MORE} times the clips", peaks[1] / peaks[0], "times", GROWTH, detail
    )


def _probe(action: str, kind: Kind, folder: Path, **options: object) -> dict[str, float]:
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.dataset_probe", action, kind, str(folder), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(
            f"{' '.join(command[2:])} ended with status {done.returncode}:\n{done.stderr[-3000:]}"
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found
