"""What a data set is made of: everything that decides its bytes, and the units in which it is rendered.

Section 4 of Kim et al. 2022 gives the defaults: 1,000 clips an instrument, 100,000 and 10,000 mixtures of at most nine
instruments. A half-rendered folder is recognised by the digest of its request.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from index.sources.nsynth import Missing
from models.front_end import FrontEndConfig
from training.nlakh.dataset import FORMAT, DatasetInstrument, Kind, Layout, SourceInfo

SHARD_CLIPS = (
    2_048  # rows of a shard of single clips: 328 MB, so that a million clips are fewer than 500 files
)
BLOCK_MIXTURES = 512  # mixtures that are rendered with one cast of instruments
MIN_PARTS = 2  # of a mixture

Phrases = Literal["midi", "varied"]


@dataclass(frozen=True)
class Request:
    """What was asked for and what it is made from; `counts` are clips per instrument, or mixtures, of each split."""

    kind: Kind
    layout: Layout
    seed: int
    counts: tuple[tuple[str, int], ...]
    max_instruments: int
    level_range_db: float
    drums: bool
    phrases: Phrases
    sources: tuple[SourceInfo, ...]
    manifest: str  # sha256 of the split manifest
    midi: str | None  # sha256 of the MIDI files; None: phrases are composed
    valid_share: float = 0.05
    missing: Missing = "nearest"
    sample_rate: int = FrontEndConfig().sample_rate
    clip_samples: int = FrontEndConfig().clip_samples

    @property
    def digest(self) -> str:
        """Hash by which a half-rendered folder is recognised."""
        return hashlib.sha256(json.dumps([FORMAT, asdict(self)], sort_keys=True).encode()).hexdigest()

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split, _ in self.counts)


@dataclass(frozen=True)
class Job:
    """One unit to render: takes `first … first + count - 1` of a split; `place` is where it will lie in the folder."""

    split: str
    number: int
    first: int
    count: int
    place: str

    @property
    def record(self) -> str:
        """File name of what is remembered of the finished unit."""
        return f"{self.split}-{self.number:06d}.json"


@dataclass(frozen=True)
class Plan:
    """A request and the instruments that were found able to sound, with what was not (`faults`)."""

    request: Request
    instruments: tuple[DatasetInstrument, ...]
    faults: tuple[tuple[str, str], ...]

    def of_split(self, split: str) -> tuple[DatasetInstrument, ...]:
        return tuple(row for row in self.instruments if row.split == split)

    def num_takes(self, split: str) -> int:
        """Clips of Nlakh-single, mixtures of Nlakh-multi."""
        count = dict(self.request.counts)[split]
        return count * len(self.of_split(split)) if self.request.kind == "single" else count

    def jobs(self) -> Iterator[Job]:
        """All units, in order."""
        for split, count in self.request.counts:
            rows, takes = self.of_split(split), self.num_takes(split)
            size = BLOCK_MIXTURES if self.request.kind == "multi" else SHARD_CLIPS
            if self.request.layout == "folders" and self.request.kind == "single":
                size = count  # an instrument's folder
            for number, first in enumerate(range(0, takes, size)):
                last = min(first + size, takes)
                if self.request.layout == "compact":
                    place = f"{split}/shard_{number:05d}.npy"
                elif self.request.kind == "single":
                    place = f"{split}/{rows[number].number:03d}"
                else:
                    place = f"{split}/{first + 1:06d}-{last:06d}"
                yield Job(split, number, first, last - first, place)

    def to_json(self) -> str:
        """What is kept beside a half-rendered folder."""
        rows = [asdict(row) for row in self.instruments]
        kept = {"digest": self.request.digest, "request": asdict(self.request), "instruments": rows}
        return json.dumps(kept | {"faults": self.faults}, indent=1)

    @classmethod
    def from_json(cls, text: str, request: Request) -> "Plan | None":
        """The plan that `to_json` kept for an equal request; None if it was another's. Raises ValueError, KeyError."""
        kept = json.loads(text)
        if kept["digest"] != request.digest:
            return None
        rows = tuple(DatasetInstrument(**row) for row in kept["instruments"])
        return cls(request, rows, tuple((what, why) for what, why in kept["faults"]))
