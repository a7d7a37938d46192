"""I/O errors in the middle: the n-th write, flush, truncation, rename, reading or opening below the data folder fails.

A library compiled from `io_faults.c` stands between the process and libc, so that SQLite, Python and the codecs all meet the
error: EIO, or ENOSPC as of a full disk; once, or from then on. It has to be loaded before the process starts, so the attack
runs in a process of its own.
"""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.torture.forked import Say
from tests.torture.hearing import heard
from tests.torture.inspection import compared, not_found_first
from tests.torture.ledger import State, as_values
from tests.torture.operations import Indexes, OperationFailed, keep_going
from tests.torture.outcome import Options, Outcome, from_json, skipped

NAME = "I/O errors"
LIBRARY = "SHOWME_TORTURE_FAULTS"  # where the process has the compiled library from
TRIES, SHORT_TRIES, TRIES_PER_FOLDER = 400, 4, 20
OPERATIONS = 5
KINDS = {"write": 1, "flush": 2, "truncation": 4, "rename": 8, "reading": 16, "opening": 32}
LATEST = {
    "write": 60,
    "flush": 12,
    "truncation": 3,
    "rename": 6,
    "reading": 40,
    "opening": 12,
}  # calls that go well


def attack(options: Options) -> Outcome:
    if LIBRARY not in os.environ:
        return _in_a_process_with_faults(options)
    faults = ctypes.CDLL(os.environ[LIBRARY])
    outcome, rng, pairs = Outcome(NAME), options.generator(), (random_pair(0), random_pair(1))
    told, num_failed, num_done = Counter[str](), 0, 0
    state: State = {}
    folder = options.folder
    for number in options.numbers(TRIES, SHORT_TRIES):
        if number % TRIES_PER_FOLDER == 0:
            folder, state = options.folder / f"index-{number}", {}
        kind = str(rng.choice(list(KINDS)))
        injected = _Fault(
            kind,
            int(rng.integers(LATEST[kind])),
            int(rng.choice([errno.EIO, errno.ENOSPC])),
            bool(rng.random() < 0.5),
        )
        seed = int(rng.integers(1 << 32))
        hearing = heard(
            lambda say: _work(folder, state, pairs, seed, injected, faults, say),  # noqa: B023
            state,
            options.folder / "journal",
        )
        state, lost, strange = compared(hearing.state, hearing.unfinished, folder, pairs)
        outcome.count(f"{folder.name}, try {number}, {injected}", lost, strange + hearing.faults)
        told.update(hearing.told)
        num_failed += sum(hearing.told.values())
        num_done += hearing.num_done
    kinds = ", ".join(f"{kind} {count}" for kind, count in told.most_common(6))
    outcome.detail = f"{num_done:,} operations acknowledged, {num_failed} failed: {kinds}"
    return outcome


@dataclass(frozen=True)
class _Fault:
    """After `well` calls of a kind that go well, one fails with the error `code`, or all do."""

    kind: str
    well: int
    code: int
    for_good: bool

    def __str__(self) -> str:
        which = "every" if self.for_good else "one"
        return f"{which} {self.kind} after {self.well}: {errno.errorcode[self.code]}"


def _in_a_process_with_faults(options: Options) -> Outcome:
    compiler, source = shutil.which("cc"), Path(__file__).with_name("io_faults.c")
    if compiler is None or not sys.platform.startswith("linux"):
        return skipped(NAME, "needs Linux and a C compiler")
    library = options.folder / "io_faults.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], check=True)
    command = [
        sys.executable,
        "-m",
        "tests.torture",
        "--only",
        "io-errors",
        "--json",
        "--seed",
        str(options.seed),
    ]
    command += [
        "--minutes",
        str(options.minutes),
        "--tries",
        str(options.number(TRIES, SHORT_TRIES)),
    ]
    environment = os.environ | {"LD_PRELOAD": str(library), LIBRARY: str(library)}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    (outcome,) = from_json(ended.stdout)
    return outcome


def _work(
    folder: Path,
    state: State,
    pairs: tuple[EncoderPair, ...],
    seed: int,
    injected: _Fault,
    faults: ctypes.CDLL,
    say: Say,
) -> None:
    """Work while the fault is injected; when an operation has failed, go on without, in the same process."""
    indexes, rng = Indexes(folder, pairs), np.random.default_rng(seed)
    indexes.open()
    where = (str(folder).encode(), KINDS[injected.kind], injected.well, injected.code, injected.for_good)
    faults.arm(*where)
    with suppress(OperationFailed):
        keep_going(indexes, state, rng, say, OPERATIONS)
    faults.disarm()
    there = indexes.state()
    say(
        {
            "state": as_values(there),
            "faults": [fault for index in indexes.all for fault in not_found_first(index)],
        }
    )
    keep_going(indexes, there, rng, say, 2)
