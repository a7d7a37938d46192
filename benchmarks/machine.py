"""Describes the machine of a measurement: processor, memory, GPU, load and versions.

Values come from the operating system and the libraries; none identifies the machine itself.
"""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

LIBRARIES = ("torch", "faiss-cpu", "faiss-gpu", "numpy", "soundfile", "soxr")


def describe() -> dict[str, str]:
    """Processor, cores, memory, GPU and versions, as text."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    description = {
        "cpu": f"{_field('/proc/cpuinfo', 'model name') or platform.processor() or platform.machine()}, {cores} cores",
        "load": ", ".join(f"{load:.1f}" for load in os.getloadavg()) + " before the start (1, 5, 15 minutes)",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": ", ".join(_versions()),
        "threads": f"torch {torch.get_num_threads()}",
    }
    if memory := _field("/proc/meminfo", "MemTotal"):
        description["memory"] = f"{int(memory.split()[0]) / 2**20:.1f} GiB"
    if torch.cuda.is_available():
        description["gpu"] = torch.cuda.get_device_name()
    return description


def _field(path: str, name: str) -> str | None:
    """The first value of `name` in one of Linux' `name : value` files."""
    file = Path(path)
    if not file.exists():
        return None
    values = (
        line.split(":", 1)[1].strip() for line in file.read_text().splitlines() if line.startswith(name)
    )
    return next(values, None)


def _versions() -> list[str]:
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return found
