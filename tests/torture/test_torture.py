"""A short form of each attack of `make torture`, and the books themselves: they notice what is lost."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.torture.ledger import KnownInstrument, KnownLibrary, Operation, State, after, differences
from tests.torture.outcome import Outcome, from_json

ATTACKS = (
    "index kills",
    "service kills",
    "damaged vectors",
    "full disk",
    "I/O errors",
    "contract",
    "SIGTERM",
    "load",
)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """The rows of a short run; only the process that makes it imports anything heavy."""
    command = [sys.executable, "-m", "tests.torture", "--short", "--json"]
    ended = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert ended.stdout, ended.stderr
    return {one.attack: one for one in from_json(ended.stdout)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_acknowledged_is_lost(attack: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[attack]
    if outcome.skipped:
        pytest.skip(outcome.detail)
    assert outcome.faults == []
    assert outcome.passed
    assert outcome.survived == outcome.tries > 0


def test_every_attack_is_tested(outcomes: dict[str, Outcome]) -> None:
    assert sorted(outcomes) == sorted(ATTACKS)


FLUTE = KnownInstrument("Flute", "flute", False, 0, "f1")
BASS = KnownInstrument("Bass", "bass", True, 0, "b1")


@pytest.fixture
def known() -> State:
    return {"l_1": KnownLibrary("One", 0, False, {"i_1": FLUTE, "i_2": BASS})}


def with_instruments(state: State, **instruments: KnownInstrument) -> State:
    (library,) = state.values()
    return {"l_1": replace(library, instruments=library.instruments | instruments)}


def test_the_books_notice_what_is_lost_and_what_is_strange(known: State) -> None:
    assert differences(known, [], known) == ([], [])
    assert differences(known, [], {})[0] == ["library One with 2 instruments"]
    lost, _ = differences(known, [], {"l_1": replace(known["l_1"], instruments={"i_2": BASS})})
    assert len(lost) == 1
    for other in (
        replace(FLUTE, name="Oboe"),
        replace(FLUTE, family=None),
        replace(FLUTE, deleted=True),
        replace(FLUTE, sound="f2"),
    ):
        assert differences(known, [], with_instruments(known, i_1=other))[0], other
    assert differences(known, [], with_instruments(known, i_3=FLUTE))[1]
    assert differences(known, [], known | {"l_2": KnownLibrary("Two", 0)})[1]


def test_an_unfinished_operation_is_done_or_not_and_an_enrollment_batch_by_batch(known: State) -> None:
    enrolling = Operation("enroll", "l_1", family="organ", names=("A", "B"))
    organs = {f"i_{n}": KnownInstrument(name, "organ", False, 0, f"o{n}") for n, name in ((5, "A"), (6, "B"))}
    first = with_instruments(known, i_5=organs["i_5"])
    for there in (known, first, with_instruments(known, **organs)):
        assert differences(known, [enrolling], there) == ([], [])
    assert differences(known, [enrolling], with_instruments(known, i_6=organs["i_6"]))[1]
    assert differences(known, [], with_instruments(known, **organs))[1]
    heard = after(known, enrolling, {"ids": {"A": "i_5", "B": "i_6"}, "sounds": {"i_5": "o5", "i_6": "o6"}})
    assert differences(heard, [], with_instruments(known, **organs)) == ([], [])
    assert differences(heard, [Operation("delete", "l_1", "i_5")], heard) == ([], [])
    assert differences(heard, [], known)[0]


def test_an_embedding_by_another_encoder_takes_all_instruments_that_are_present(known: State) -> None:
    again = Operation("reembed", "l_1", encoder=1)
    new = replace(
        known["l_1"], encoder=1, instruments={"i_1": replace(FLUTE, encoder=1, sound="g"), "i_2": BASS}
    )
    assert differences(known, [again], {"l_1": new}) == ([], [])
    assert differences(known, [again], {"l_1": replace(new, instruments=known["l_1"].instruments)}) != (
        [],
        [],
    )


def test_a_purge_takes_what_was_deleted(known: State) -> None:
    purged = {"l_1": replace(known["l_1"], instruments={"i_1": FLUTE})}
    assert differences(known, [Operation("purge")], purged) == ([], [])
    assert differences(known, [], purged)[0]


def test_a_row_counts_each_try_once() -> None:
    outcome = Outcome("kills")
    outcome.count("first")
    outcome.count("second", ["an instrument"], ["a file"])
    outcome.count("third", [], ["a file"])
    assert (outcome.tries, outcome.survived, outcome.lost, outcome.inconsistent) == (3, 1, 1, 1)
    assert not outcome.passed
