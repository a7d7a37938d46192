"""Several sources as one: the sources of one upload, or the SoundFonts of one folder, one after the other.

DESIGN.md, decision 5: a library may be enrolled from any mixture of sources.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from index.sources.base import Instrument, InstrumentSource
from models.errors import SourceError


class SeveralSources:
    """The instruments of `sources` in their order; `faults` names those that could not be opened beside them."""

    def __init__(
        self, name: str, sources: Sequence[InstrumentSource], faults: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.name = name
        self._sources = tuple(sources)
        self._faults = tuple(faults)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted({path for source in self._sources for path in source.files}))

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        return (*self._faults, *(fault for source in self._sources for fault in source.faults))

    def __len__(self) -> int:
        return sum(len(source) for source in self._sources)

    def __iter__(self) -> Iterator[Instrument]:
        for source in self._sources:
            yield from source

    def get(self, key: str) -> Instrument:
        """The instrument of an id, of the first source that has it. Raises SourceError when none has."""
        for source in self._sources:
            with suppress(SourceError):
                return source.get(key)
        raise SourceError(f"no instrument {key} in {self.name}", value=key)
