"""The plan of a followed folder: carried out on paper, it makes the library hold what the folder holds, with least work."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from index.watching.plan import FolderPlan, KnownEntry, plan_changes

FOLDERS = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["x", "y", "z"]), max_size=6
)  # path → digest


def known_of(folder: dict[str, str]) -> dict[str, KnownEntry]:
    return {path: KnownEntry(path, digest, (f"i_{path}",)) for path, digest in folder.items()}


def carried_out(
    plan: FolderPlan, known: dict[str, KnownEntry], now: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """The digest and the instrument of each path after the plan, in the order in which it is done."""
    held = {path: (entry.digest, entry.instruments[0]) for path, entry in known.items()}
    for path in plan.removed:
        del held[path]
    moved = {new: held.pop(old) for old, new in plan.moved}
    assert not held.keys() & moved.keys()
    held |= moved
    for path in plan.changed:
        assert path in held
        held[path] = now[path], f"new {path}"
    for path in plan.added:
        assert path not in held
        held[path] = now[path], f"new {path}"
    return held


@given(FOLDERS, FOLDERS)
def test_the_library_holds_what_the_folder_holds(before: dict[str, str], now: dict[str, str]) -> None:
    known = known_of(before)
    plan = plan_changes(known, now)
    held = carried_out(plan, known, now)
    assert {path: digest for path, (digest, _) in held.items()} == now
    assert bool(plan) == (before != now)


@given(FOLDERS, FOLDERS)
def test_no_content_that_was_there_is_embedded_again(before: dict[str, str], now: dict[str, str]) -> None:
    known = known_of(before)
    plan = plan_changes(known, now)
    embedded = Counter(now[path] for path in (*plan.changed, *plan.added))
    assert embedded == Counter(now.values()) - Counter(before.values())
    for path in now:
        if before.get(path) == now[path]:  # what has not changed is not touched
            assert carried_out(plan, known, now)[path][1] == f"i_{path}"


@given(FOLDERS, FOLDERS, st.sets(st.sampled_from("abcdef")))
def test_what_is_left_alone_and_what_may_be_on_its_way_is_kept(
    before: dict[str, str], now: dict[str, str], left_alone: set[str]
) -> None:
    known = known_of(before)
    plan = plan_changes(known, now, left_alone, is_settled=False)
    touched = {*plan.changed, *plan.added, *plan.removed, *(path for pair in plan.moved for path in pair)}
    assert not touched & left_alone
    assert set(plan.removed) <= {new for _, new in plan.moved}
