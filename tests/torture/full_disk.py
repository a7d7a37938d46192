"""A full disk: a data folder on a small tmpfs of its own, filled until an operation fails.

Then a deletion must succeed, and the process is killed. With room again, everything acknowledged is there. Where no file
system may be mounted, the attack is skipped; `io_errors` injects the same error everywhere.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from index.disk import RESERVE_BYTES
from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.torture.forked import Say
from tests.torture.hearing import heard
from tests.torture.inspection import compared
from tests.torture.ledger import Operation, instruments_of
from tests.torture.operations import Indexes, OperationFailed, attempt, keep_going
from tests.torture.outcome import Options, Outcome, skipped

NAME = "full disk"
TRIES, SHORT_TRIES = 60, 1
SMALLEST, LARGEST = (
    1_200_000,
    2_400_000,
)  # bytes of the disk, beside the reserve and as many as it leaves free
DELETING = ("delete", "delete library", "purge")  # they may take the reserve before the disk is full
ENOUGH_BYTES = 64 * 1024 * 1024
MAX_OPERATIONS = 80


def attack(options: Options) -> Outcome:
    place = options.folder / "disk"
    place.mkdir()
    try:
        with _mounted(place, ENOUGH_BYTES):
            pass
    except (OSError, subprocess.CalledProcessError):
        return skipped(NAME, "no file system may be mounted here")
    outcome, rng, pairs = Outcome(NAME), options.generator(), (random_pair(0), random_pair(1))
    told, num_done = Counter[str](), 0
    for number in options.numbers(TRIES, SHORT_TRIES):
        size, seed = int(rng.integers(SMALLEST, LARGEST)) + 2 * RESERVE_BYTES, int(rng.integers(1 << 32))
        with _mounted(place, size):
            folder = place / "data"
            hearing = heard(lambda say: _fill(folder, pairs, seed, say), {}, options.folder / "journal")  # noqa: B023
            _resize(place, ENOUGH_BYTES)
            _, lost, strange = compared(hearing.state, hearing.unfinished, folder, pairs)
        told.update(hearing.told)
        num_done += hearing.num_done
        outcome.count(f"{NAME}, try {number}", lost, strange + hearing.faults)
    kinds = ", ".join(f"{kind} {count}" for kind, count in told.most_common())
    outcome.detail = f"{num_done:,} operations acknowledged; the disk was full at: {kinds}"
    return outcome


def _fill(folder: Path, pairs: tuple[EncoderPair, ...], seed: int, say: Say) -> None:
    """Work until the disk is full, delete an instrument then, and wait to be killed."""
    indexes, rng = Indexes(folder, pairs), np.random.default_rng(seed)
    indexes.open()
    indexes.all[0].catalog.reserve.hold()
    with suppress(OperationFailed):
        keep_going(indexes, indexes.state(), rng, say, MAX_OPERATIONS, DELETING)
    present = list(instruments_of(indexes.state(), deleted=False))
    if present:
        library, instrument, _ = present[rng.integers(len(present))]
        attempt(indexes, Operation("delete", library, instrument), say)


@contextmanager
def _mounted(place: Path, size: int) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def _resize(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True, capture_output=True)
