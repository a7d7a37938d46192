"""Plans how a library follows its folder: compares the entries that were seen with those that are there.

Contents are compared by their digests, so that what was moved or renamed is known again. Pure: no files, no database.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class KnownEntry(NamedTuple):
    """An entry as it was when the library last followed it, with the ids of its instruments."""

    path: str
    digest: str
    instruments: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(frozen=True)
class FolderPlan:
    """The paths of entries to remove, to move (from, to), to enroll again and to enroll, in this order."""

    removed: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.moved or self.changed or self.added)


def plan_changes(
    known: Mapping[str, KnownEntry],
    digests: Mapping[str, str],
    left_alone: Collection[str] = (),
    *,
    is_settled: bool = True,
) -> FolderPlan:
    """Compare the `known` entries with the `digests` of those that are there now, both by path.

    Entries that are `left_alone` keep what they have. Unless all `is_settled`, nothing is removed: what is missing may be on
    its way to another name.
    """
    present = {path: digest for path, digest in digests.items() if path not in left_alone}
    new = {
        path: digest for path, digest in present.items() if path not in known or known[path].digest != digest
    }
    free: dict[str, list[str]] = defaultdict(list)  # digest → paths that do not hold it any more
    for path, entry in sorted(known.items(), reverse=True):
        if path in new or (path not in digests and path not in left_alone):
            free[entry.digest].append(path)
    moved = {path: free[new[path]].pop() for path in sorted(new) if free.get(new[path])}  # to → from
    gone_elsewhere = set(moved.values())
    over = [path for path in moved if path in known and path not in gone_elsewhere]  # by what was moved there
    missing = [
        path
        for path in known
        if path not in digests and path not in left_alone and path not in gone_elsewhere
    ]
    rest = [path for path in new if path not in moved]
    return FolderPlan(
        removed=tuple(sorted([*over, *(missing if is_settled else ())])),
        moved=tuple((moved[path], path) for path in sorted(moved)),
        changed=tuple(sorted(path for path in rest if path in known and path not in gone_elsewhere)),
        added=tuple(sorted(path for path in rest if path not in known or path in gone_elsewhere)),
    )
