"""A small source for the default library: presets of six families and an effect, each embedded from two of its eight phrases.

Enrolling all 136 presets from all phrases takes most of a minute.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.sources.base import Floats
from index.sources.soundfont import SoundFontInstrument, SoundFontSource

PROGRAMS = (*range(8), *range(16, 40), *range(56, 64), *range(72, 80), 127)
PHRASE_STEP = 4  # takes phrases 0 and 4


@dataclass(frozen=True)
class FewPhrases:
    """A preset that embeds every `PHRASE_STEP`-th of its clips."""

    whole: SoundFontInstrument
    id: str
    name: str
    family: str | None
    source: str
    licence: str | None
    playable_range: tuple[int, int] | None
    faults: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, whole: SoundFontInstrument) -> "FewPhrases":
        return cls(
            whole, whole.id, whole.name, whole.family, whole.source, whole.licence, whole.playable_range
        )

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        return self.whole.clips(sample_rate, clip_samples)[::PHRASE_STEP]

    def preview(self) -> tuple[Floats, int]:
        return self.whole.preview()


class SmallSource:
    """The presets `PROGRAMS` of a SoundFont, in the SoundFont's order."""

    faults: tuple[tuple[str, str], ...] = ()

    def __init__(self, font: SoundFontSource) -> None:
        self.name = font.name
        self.files: tuple[Path, ...] = font.files
        wanted = tuple(f"#0:{program}" for program in PROGRAMS)
        self._presets = {one.id: FewPhrases.of(one) for one in font if one.source.endswith(wanted)}

    def __len__(self) -> int:
        return len(self._presets)

    def __iter__(self) -> Iterator[FewPhrases]:
        return iter(self._presets.values())

    def get(self, key: str) -> FewPhrases:
        return self._presets[key]
