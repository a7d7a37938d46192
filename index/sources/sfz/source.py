"""SFZ instruments as a source: one .sfz file, or every .sfz below a folder that no other one includes.

Samples and includes are read from below a root only: the opened folder, or for a single file the folder above its own,
since banks keep `Programs/` beside `Samples/`. A file directly below the disk's root uses its own folder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.families import family_of_name
from index.sources.base import Floats, Note
from index.sources.ids import instrument_ids
from index.sources.licences import licence_beside
from index.sources.playing import enrollment_clips, phrase_preview
from index.sources.sfz.paths import SfzTree
from index.sources.sfz.player import SfzPlayer
from index.sources.sfz.reader import SfzFile, read_sfz
from models.errors import SourceError

SUFFIXES = (".sfz",)


@dataclass(frozen=True)
class SfzEntry:
    """Metadata of an instrument before it is played; `source` is its path as the user sees it."""

    path: Path
    root: Path
    id: str
    name: str
    family: str | None
    source: str
    licence: str | None
    playable_range: tuple[int, int]
    faults: tuple[tuple[str, str], ...]


class SfzInstrument:
    """One .sfz. Samples are decoded on first use and freed with the instrument. Not for several threads at once."""

    def __init__(self, entry: SfzEntry) -> None:
        self._entry = entry
        self._loaded: SfzPlayer | None = None
        self.id = entry.id
        self.name = entry.name
        self.family = entry.family
        self.source = entry.source
        self.licence = entry.licence
        self.playable_range = entry.playable_range

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Regions left out, samples missing or damaged, and one line of unsupported opcodes."""
        return self._entry.faults + (self._loaded.faults if self._loaded else ())

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Render the enrollment phrases that sound: `[1…8, clip_samples]`. Raises SourceError if none does."""
        return enrollment_clips(self, sample_rate, clip_samples)

    def preview(self) -> tuple[Floats, int]:
        """Render three to four seconds, mono `[n]` at 44.1 kHz. Raises SourceError if it is silent."""
        return phrase_preview(self)

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[round(seconds · sample_rate)]`; notes that no region answers are silent.

        Raises SourceError if the file cannot be read any more.
        """
        if self._loaded is None:
            self._loaded = SfzPlayer(read_sfz(self._entry.path, SfzTree(self._entry.root)).regions)
        return self._loaded.play(notes, seconds, sample_rate)


class SfzSource:
    """The instruments of one .sfz or of a folder with .sfz files, in the order of their paths."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError if no .sfz of `path` has a playable region; broken ones beside others are `faults`."""
        path = path.resolve()
        self._root = _root(path)
        self.name = path.stem if path.is_file() else path.name
        entries: list[SfzEntry] = []
        faults: dict[Path, str] = {}
        included: set[Path] = set()
        tree = SfzTree(self._root)
        for file in sfz_files(path):
            try:
                read = read_sfz(file, tree)
            except SourceError as error:
                if tree.is_spent:
                    raise
                faults[file] = error.message
            else:
                entries.append(_entry(read, self._root, path))
                included.update(read.texts[1:])
        if not entries:
            reason = next(iter(faults.values()), f"{path.name} holds no .sfz file")
            raise SourceError(reason, value=path.name, limit="an .sfz with its samples")
        self._faults = tuple(
            (_source(file, path), reason) for file, reason in faults.items() if file not in included
        )
        own = [entry for entry in entries if entry.path not in included]
        ids = instrument_ids(self.name, [(_below(entry.path, path), entry.source) for entry in own])
        self._entries = {key: replace(entry, id=key) for entry, key in zip(own, ids, strict=True)}

    @property
    def files(self) -> tuple[Path, ...]:
        """Every .sfz, its includes and its samples, sorted. Reads the .sfz files again."""
        found: set[Path] = set()
        tree = SfzTree(self._root)
        for entry in self._entries.values():
            read = read_sfz(entry.path, tree)
            found.update(read.texts, read.samples)
        return tuple(sorted(found))

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """The .sfz files that cannot be played at all, as (path, reason)."""
        return self._faults

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[SfzInstrument]:
        return map(SfzInstrument, self._entries.values())

    def get(self, key: str) -> SfzInstrument:
        """Return the instrument of an id, not yet decoded. Raises SourceError if there is none."""
        if key not in self._entries:
            raise SourceError(f"no instrument {key} in {self.name}", value=key)
        return SfzInstrument(self._entries[key])


def sfz_files(path: Path) -> list[Path]:
    """Return `path` if it is an .sfz, else those below it, sorted, without hidden files and archivers' leftovers."""
    if path.is_file():
        return [path] if path.suffix.lower() in SUFFIXES else []
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and file.is_file()
        and not any(part.startswith((".", "__MACOSX")) for part in file.relative_to(path).parts)
    )


def _root(path: Path) -> Path:
    """Return the folder below which files may be read for `path`."""
    if path.is_dir():
        return path
    above = path.parent.parent
    return path.parent if above == above.parent else above


def _entry(read: SfzFile, root: Path, opened: Path) -> SfzEntry:
    """Build the entry of a parsed file; its id is set once the whole source is read."""
    name = " ".join(read.path.stem.replace("_", " ").split()) or read.path.name
    folders = [folder.name for folder in read.path.parents if folder.is_relative_to(root)]
    families = (family_of_name(text) for text in (name, *folders))
    return SfzEntry(
        path=read.path,
        root=root,
        id="",
        name=name,
        family=next((family for family in families if family), None),
        source=_source(read.path, opened),
        licence=licence_beside(read.path, root),
        playable_range=read.playable_range,
        faults=read.faults,
    )


def _below(file: Path, opened: Path) -> str:
    """Return the path of an .sfz inside the opened folder, without its suffix; empty for the opened file itself."""
    return "" if file == opened else file.relative_to(opened).with_suffix("").as_posix()


def _source(file: Path, opened: Path) -> str:
    return file.name if file == opened else f"{opened.name}/{file.relative_to(opened).as_posix()}"
