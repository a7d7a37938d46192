"""`kill -9` at the level of index and catalogue: while enrolling, correcting, deleting, restoring, rebuilding, embedding
again, searching, purging, and while an older schema is migrated.

A child announces each operation and acknowledges it. It is killed within an operation that is chosen beforehand, after
a random part of the time that such operations take. The next child goes on with the same folder.
"""

from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

import numpy as np
from alembic import command

from index.catalog import Catalog
from index.libraries import DATABASE
from index.migrations import CONNECTION, alembic_config
from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.torture.forked import Say, fresh
from tests.torture.hearing import Hearing, heard_until
from tests.torture.inspection import compared
from tests.torture.ledger import Operation, State
from tests.torture.operations import Indexes, keep_going
from tests.torture.outcome import Options, Outcome

TRIES, SHORT_TRIES, TRIES_PER_FOLDER = 1000, 4, 25
OPERATIONS = 6  # of a child, at most
MIGRATED_SHARE = 0.15  # of the tries, which begin with an older schema
OLDER = ("0003", "0004", "0005", "0006", "0007", "0008")  # revisions that hold all that the operations make
FIRST_GUESS_SECONDS = 0.1


class KillMoments:
    """Chooses when to kill: in the n-th operation, after a part of the longest time that its kind has taken."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._longest: dict[str, float] = defaultdict(lambda: FIRST_GUESS_SECONDS)
        self._seen: Counter[str] = Counter()

    def delay(self, kind: str) -> float:
        return float(self._rng.uniform(0, 1.05) * self._longest[kind])

    def took(self, kind: str, seconds: float) -> None:
        """Learn how long an operation of a kind has taken; one slow one is soon forgotten."""
        before = self._longest[kind] if self._seen[kind] else 0.0
        self._longest[kind] = max(seconds, 0.7 * before)
        self._seen[kind] += 1


def attack(options: Options) -> Outcome:
    """Kill children again and again; after each kill a fresh process compares the folder with the acknowledgements."""
    outcome, rng = Outcome("index kills"), options.generator()
    pairs, moments, killed = (random_pair(0), random_pair(1)), KillMoments(rng), Counter[str]()
    num_acknowledged, folder = 0, options.folder
    state: State = {}
    for number in options.numbers(TRIES, SHORT_TRIES):
        if number % TRIES_PER_FOLDER == 0:
            folder, state = options.folder / f"index-{number}", {}
            folder.mkdir()
        if state and rng.random() < MIGRATED_SHARE:
            revision = str(rng.choice(OLDER))
            fresh(partial(downgrade, folder, revision))
        hearing = until_killed(folder, state, pairs, moments, rng)
        killed[hearing.pending[0].kind if hearing.pending else "between"] += 1
        num_acknowledged += hearing.num_done
        state, lost, strange = compared(hearing.state, hearing.unfinished, folder, pairs)
        failed = [f"an operation failed: {kind}" for kind in hearing.told]
        outcome.count(f"{folder.name}, try {number}", lost, strange + hearing.faults + failed)
    where = ", ".join(f"{kind} {count}" for kind, count in killed.most_common())
    outcome.detail = f"{num_acknowledged:,} operations acknowledged; killed in: {where}"
    return outcome


def downgrade(folder: Path, revision: str) -> None:
    """Take the folder's schema down to a revision."""
    catalog, config = Catalog(folder / DATABASE), alembic_config()
    with catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        command.downgrade(config, revision)
    catalog.close()


def until_killed(
    folder: Path,
    state: State,
    pairs: tuple[EncoderPair, ...],
    moments: KillMoments,
    rng: np.random.Generator,
) -> Hearing:
    """Let a child open the folder and work, and kill it."""
    seed, last = int(rng.integers(1 << 32)), int(rng.integers(OPERATIONS))

    def work(say: Say) -> None:
        say({"begin": vars(Operation("open"))})
        indexes = Indexes(folder, pairs)
        indexes.open()
        say({"done": {}})
        keep_going(indexes, state, np.random.default_rng(seed), say, OPERATIONS)

    def kill_after(hearing: Hearing) -> float | None:
        is_time = hearing.num_begun > last and hearing.pending
        return moments.delay(hearing.pending[0].kind) if is_time else None

    return heard_until(work, state, folder.with_suffix(".journal"), kill_after, moments.took)
