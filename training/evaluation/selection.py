"""Which protocols `showme evaluate` runs on which splits: those of a data set, the sides of real recordings, productions.

Every protocol has its default splits; impossible requests are refused before any audio is encoded.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from models.errors import TrainingError
from training.evaluation import (
    answers,
    lanes,
    library,
    ownership,
    paper,
    production,
    real,
    recorded,
    served,
    three,
    verification,
)
from training.evaluation.context import EvaluationContext
from training.evaluation.real_context import SPLITS, TEST
from training.evaluation.report import Table
from training.nlakh.dataset import DATASET_FILE, TRAIN, VALID, read_dataset

DEFAULT_SPLIT = "test-default"  # of the default data set

PROTOCOLS: dict[str, Callable[[EvaluationContext], Iterator[Table]]] = {
    protocol.NAME: protocol.tables
    for protocol in (served, ownership, lanes, paper, library, three, verification, recorded)
}
KNOWN = (real.NAME, answers.NAME, production.NAME, *PROTOCOLS)
WITHOUT_BANK = (real.NAME, answers.NAME, production.NAME)
PRODUCTION_INPUTS = ("notes", "midi", "real")  # options that the protocol production needs
RECORDED_PROTOCOLS = (verification.NAME, recorded.NAME)  # default for recorded instruments


def protocols_of(split: str, requested: Sequence[str] | None) -> list[str]:
    """Return the protocols to run on a split of a data set: the requested ones, or its defaults."""
    is_recorded = split == recorded.SPLIT
    default = RECORDED_PROTOCOLS if is_recorded else (name for name in PROTOCOLS if name != recorded.NAME)
    chosen = requested or default
    return [name for name in chosen if name in PROTOCOLS and (is_recorded or name != recorded.NAME)]


def real_splits(options: argparse.Namespace) -> list[str]:
    """Return the sides on which the protocol `real` is measured: the test side by default."""
    is_requested = options.real and (not options.protocol or real.NAME in options.protocol)
    return [split for split in options.split or [TEST] if split in SPLITS] if is_requested else []


def wants_productions(options: argparse.Namespace) -> bool:
    """Return whether the protocol `production` is measured: by default if its inputs are given."""
    is_requested = not options.protocol or production.NAME in options.protocol
    return is_requested and all(getattr(options, name) for name in PRODUCTION_INPUTS)


def wants_answers(options: argparse.Namespace) -> bool:
    """Return whether the protocol `answers` is run: by default if there are recordings."""
    return options.recordings is not None and (not options.protocol or answers.NAME in options.protocol)


def needs_bank(options: argparse.Namespace) -> bool:
    """Return whether a protocol is requested that measures a data set."""
    return not options.protocol or any(name not in WITHOUT_BANK for name in options.protocol)


def bank_splits(options: argparse.Namespace) -> list[str]:
    """Return the splits of the data set to measure; none if only recordings or productions are.

    Raises TrainingError if splits of the default data set are requested.
    """
    if not needs_bank(options):
        return []
    if options.bank is None and options.split:
        raise TrainingError(
            f"--split names a split of a data set: give --bank, or --protocol {real.NAME}",
            value=", ".join(options.split),
        )
    if options.bank is None:
        return [DEFAULT_SPLIT]
    return options.split or [split for split in splits_in(options.bank) if split != TRAIN] or [VALID]


def splits_in(folder: Path) -> tuple[str, ...]:
    """Return the splits of a data set; a published copy has the published split names."""
    if (folder / DATASET_FILE).exists():
        return tuple(read_dataset(folder).splits)
    return tuple(split for split in (TRAIN, VALID) if (folder / split).is_dir())


def check_protocol(name: str, options: argparse.Namespace, splits: Sequence[str]) -> None:
    """Raise TrainingError if a requested protocol is unknown, or has nothing to measure in the `splits` of the data set."""
    if name not in KNOWN:
        known = ", ".join(KNOWN)
        raise TrainingError(f"there is no protocol {name}; known are {known}", value=name, limit=known)
    if name == real.NAME and options.real is None:
        raise TrainingError("protocol real needs a folder of real recordings: give --real", value=name)
    if name == answers.NAME:
        if options.recordings is None:
            raise TrainingError(
                "protocol answers needs a folder of recordings: give --recordings", value=name
            )
        return
    if name == production.NAME:
        if not wants_productions(options):
            missing = ", ".join(f"--{one}" for one in PRODUCTION_INPUTS if not getattr(options, one))
            message = f"protocol {name} needs note banks, MIDI files and real recordings: give {missing}"
            raise TrainingError(message, value=name, limit=missing)
        return
    if name == real.NAME:
        can_run, given, limit = bool(real_splits(options)), options.split, " or ".join(SPLITS)
    else:
        can_run = any(name in protocols_of(split, options.protocol) for split in splits)
        given, limit = splits, recorded.SPLIT
    if not can_run:
        message = f"protocol {name} needs the split {limit}, given are {', '.join(given)}"
        raise TrainingError(message, value=", ".join(given), limit=limit)
