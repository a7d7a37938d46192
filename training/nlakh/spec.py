"""The specification of a data set: the settings and inputs that decide its bytes, and the units it is rendered in.

Section 4 of Kim et al. 2022 gives the defaults: 1,000 clips of each instrument, 100,000 and 10,000 mixtures of at most nine
instruments. The digest of a `RenderSpec` identifies a half-rendered folder.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from index.families import FAMILIES
from index.sources.nsynth import Missing
from models.errors import TrainingError
from models.front_end import FrontEndConfig
from training.nlakh.dataset import FORMAT, DatasetInstrument, Fault, Kind, Layout, SourceInfo
from training.splits import MANIFEST, SplitRow, probes_only, read_manifest

SHARD_CLIPS = 2_048  # rows of a shard of single clips: 328 MB, so a million clips are fewer than 500 files
BLOCK_MIXTURES = 512  # mixtures that one pool of instruments plays
BLOCK_PRODUCTIONS = 32  # productions that one cast plays: some 100 MB
MIN_STEMS = 2  # of a mixture
MIN_PARTS, MAX_PARTS = 4, 8  # of a production
MAX_COUNT = 1_000_000  # clips of an instrument, or mixtures, of a split: a thousand and ten times the paper's
LIMITS = {  # lowest and highest value of each number a user sets
    "seed": (0, 2**63 - 1),
    "workers": (1, 256),
    "max_instruments": (MIN_STEMS, 100),
    "level_range_db": (0.0, 30.0),  # beyond, the quietest stems vanish in rounding
    "valid_share": (0.0, 1.0),
    "seconds": (15.0, 30.0),  # of a production
}

Phrases = Literal["midi", "varied"]


def check_limits(**values: float) -> None:
    """Raises TrainingError for a value outside its `LIMITS`, and for NaN."""
    for name, value in values.items():
        _check_within(name, value, *LIMITS[name])


def _check_within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        limit = f"{low:,} to {high:,}"
        raise TrainingError(f"{name} is {value:,}, {limit} is allowed", value=value, limit=limit)


@dataclass(frozen=True)
class InputPaths:
    """The files a data set is made from: note sources, MIDI files, the split manifest.

    `midi_cache` keeps parsed MIDI; `only_probes` leaves all other instruments of the manifest out.
    """

    notes: tuple[Path, ...]
    midi: Path | None = None
    midi_cache: Path | None = None
    manifest: Path = MANIFEST
    only_probes: bool = False

    def read_manifest(self) -> dict[str, SplitRow]:
        """The manifest's rows by instrument id. Raises TrainingError when it cannot be read."""
        rows = read_manifest(self.manifest)
        return probes_only(rows) if self.only_probes else rows


@dataclass(frozen=True, kw_only=True)
class RenderSpec:
    """Everything that decides the bytes of a data set.

    `counts` are the clips of each instrument, or the mixtures, of each split. `sources`, `manifest` and `midi` are hashes of
    the inputs, unset until `with_inputs`. Raises TrainingError for settings that cannot be rendered.
    """

    kind: Kind
    layout: Layout
    seed: int = 1
    counts: tuple[tuple[str, int], ...]
    max_instruments: int = 9
    level_range_db: float = 6.0
    drums: bool = False
    phrases: Phrases = "midi"
    sources: tuple[SourceInfo, ...] = ()
    manifest: str = ""
    midi: str | None = None  # None: phrases are composed
    valid_share: float = 0.05
    missing: Missing = "nearest"
    sample_rate: int = FrontEndConfig().sample_rate
    clip_samples: int = FrontEndConfig().clip_samples
    production: bool = False  # mixtures are productions: with drums, effects and a master

    def __post_init__(self) -> None:
        check_limits(
            seed=self.seed,
            max_instruments=self.max_instruments,
            level_range_db=self.level_range_db,
            valid_share=self.valid_share,
        )
        if not self.counts:
            raise TrainingError("at least one split is needed", value=self.counts, limit=1)
        for split, count in self.counts:
            _check_within(f"the count of {split}", count, 1, MAX_COUNT)
        if self.production:
            check_limits(seconds=self.clip_seconds)
            _check_within("max_instruments of a production", self.max_instruments, MIN_PARTS, 100)
            if not (self.is_multi and self.drums):
                raise TrainingError("a production is a mixture with drums", value=self.kind, limit="multi")

    def with_inputs(
        self, sources: tuple[SourceInfo, ...], manifest: dict[str, SplitRow], midi: str | None
    ) -> "RenderSpec":
        """The same settings for these inputs; `midi` is the fingerprint of the MIDI files."""
        manifest_hash = hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
        return replace(self, sources=sources, manifest=manifest_hash, midi=midi)

    @property
    def digest(self) -> str:
        """The hash that `dataset.json` and the work folder carry.

        Equal digests mean equal bytes, as long as `index.families` gives instruments and MIDI tracks the same families.
        """
        settings = asdict(self)
        if not self.production:
            del settings["production"]  # which earlier data sets do not have
        return hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode()).hexdigest()

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split, _ in self.counts)

    @property
    def is_multi(self) -> bool:
        return self.kind == "multi"

    @property
    def clip_seconds(self) -> float:
        return self.clip_samples / self.sample_rate


@dataclass(frozen=True)
class PlannedUnit:
    """One unit to render: items `first … first + count - 1` of a split, from 0; `place` is its path in the data set."""

    split: str
    number: int
    first: int
    count: int
    place: str

    @property
    def record_name(self) -> str:
        """File name of the finished unit's record in the work folder."""
        return f"{self.split}-{self.number:06d}.json"


@dataclass(frozen=True)
class RenderPlan:
    """A specification with its inputs, the instruments that sound, and the faults of those left out."""

    spec: RenderSpec
    instruments: tuple[DatasetInstrument, ...]
    faults: tuple[Fault, ...] = ()

    def of_split(self, split: str) -> tuple[DatasetInstrument, ...]:
        return tuple(row for row in self.instruments if row.split == split)

    def num_items(self, split: str) -> int:
        """Clips of Nlakh-single, mixtures of Nlakh-multi."""
        count = dict(self.spec.counts)[split]
        return count if self.spec.is_multi else count * len(self.of_split(split))

    def units(self) -> Iterator[PlannedUnit]:
        """All units, in order."""
        block = BLOCK_PRODUCTIONS if self.spec.production else BLOCK_MIXTURES
        for split, count in self.spec.counts:
            size = block if self.spec.is_multi else SHARD_CLIPS
            if self.spec.layout == "folders" and not self.spec.is_multi:
                size = count  # an instrument's folder
            items = self.num_items(split)
            for number, first in enumerate(range(0, items, size)):
                last = min(first + size, items)
                yield PlannedUnit(split, number, first, last - first, self._place(split, number, first, last))

    def _place(self, split: str, number: int, first: int, last: int) -> str:
        if self.spec.layout == "compact":
            return f"{split}/shard_{number:05d}.npy"
        if self.spec.is_multi:
            return f"{split}/{first + 1:06d}-{last:06d}"
        return f"{split}/{self.of_split(split)[number].number:03d}"

    def to_json(self) -> str:
        """The text that the work folder keeps."""
        rows = [asdict(row) for row in self.instruments]
        kept = {"digest": self.spec.digest, "families": FAMILIES, "request": asdict(self.spec)}
        return json.dumps(kept | {"instruments": rows, "faults": self.faults}, indent=1)

    @classmethod
    def from_json(cls, text: str, spec: RenderSpec) -> "RenderPlan | None":
        """The plan that `to_json` wrote; None when it was another specification's, or made for other families.

        Raises ValueError, KeyError.
        """
        kept = json.loads(text)
        if kept["digest"] != spec.digest or kept.get("families") != list(FAMILIES):
            return None
        rows = tuple(DatasetInstrument(**row) for row in kept["instruments"])
        return cls(spec, rows, tuple((what, why) for what, why in kept["faults"]))
