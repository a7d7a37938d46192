"""A folder with a library that follows it, for tests: one look and one run at a time, and no waiting."""

from collections.abc import Callable
from pathlib import Path

from index.records import InstrumentInfo
from index.source_finder import SourceFinder, enrolled_instrument
from index.sources.opening import IN_PROCESS
from index.watching.folder_look import FolderLook, FolderLooker
from index.watching.folder_sync import FolderSync
from index.watching.watch_store import WatchStore
from tests.encoders import random_pair_of
from tests.index.conftest import CountingPair, open_index, write_tone

SETTLE_SECONDS = 0.03
Names = dict[str, InstrumentInfo]


def write_samples(root: Path) -> Path:
    """Write two recordings and a folder of two into a folder, and return it."""
    write_tone(root / "Bass.wav", 100.0)
    write_tone(root / "Flute.wav", 400.0)
    for number, hz in enumerate((200.0, 300.0)):
        write_tone(root / "Organ" / f"{number}.wav", hz)
    return root


class Followed:
    """A folder with a library that follows it, in one process after another."""

    def __init__(self, root: Path, data: Path) -> None:
        pair = random_pair_of(CountingPair)
        self.root = root
        self.pair = pair
        self.data = data
        self.index = open_index(data, pair)
        self.library = self.index.libraries.create("L").id
        self.store = WatchStore(self.index.catalog)
        self.watch = self.store.add(self.library, root)
        self.store.take(self.watch.id)

    def sync(self, meanwhile: Callable[[], object] = lambda: None) -> list[str]:
        """Let the library follow, and return the changes in words; `meanwhile` happens between two looks at the files."""

        def wait(seconds: float) -> None:
            meanwhile()

        look = FolderLooker(self.store, self.watch, SETTLE_SECONDS, wait).look()
        return [*self.applied(look), *(f"unreadable {path}" for path in look.unreadable)]

    def applied(self, look: FolderLook) -> list[str]:
        """Do what a look asks for, and return the changes in words."""
        sync = FolderSync(self.index, self.pair, IN_PROCESS, self.store, self.watch)
        return [change.sentence for change in sync.apply(look).changes]

    def restart(self) -> None:
        """Go on as another process does, whose owner is another."""
        self.store.release(self.watch.id)
        self.index.close()
        self.index = open_index(self.data, self.pair)
        self.store = WatchStore(self.index.catalog)
        self.store.take(self.watch.id)

    def instruments(self) -> Names:
        return {one.name: one for one in self.index.instruments.page(self.library)[0]}

    def found_in_source(self) -> set[str]:
        """The names of all instruments that are found again in their sources, as an update with another encoder does."""
        finder = SourceFinder(self.index.folder, [], IN_PROCESS)
        rows = [enrolled_instrument(self.index.catalog, one.id) for one in self.instruments().values()]
        return {
            finder.find(row).instrument.name for row in sorted(rows, key=lambda row: row.source_path or "")
        }

    def embedded(self, work: Callable[[], object]) -> int:
        """How many instruments are embedded by some work."""
        before = self.pair.count
        work()
        return self.pair.count - before
