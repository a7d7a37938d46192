"""Select the instruments of a data set, assign their splits, and leave out silent ones.

Section 4 of Kim et al. 2022 splits by instrument as NSynth does (953/53). The manifest decides for the instruments it lists
(it keeps near-duplicates together); NSynth's own parts decide for NSynth; a seeded hash of the id decides for all others.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.sources.base import InstrumentSource, Note, PlayableInstrument, SourceInstrument, is_playable
from index.sources.default import DEFAULT_SOUNDFONT
from index.sources.nsynth import Missing
from index.sources.opening import open_source
from models.errors import ShowMeError, TrainingError
from training.nlakh.dataset import TRAIN, VALID, DatasetInstrument, Fault, SourceInfo
from training.nlakh.spec import RenderSpec
from training.productions.roles import split_in_productions
from training.real.recordings import Excerpted, is_excerpted
from training.real.rows import is_real_folder
from training.real.source import RealSource
from training.splits import SplitRow

CHECK_SECONDS = (1.0, 5.0)  # the second for sounds that swell slowly
SILENT_PEAK, SILENT_RMS = 1e-3, 1e-4
# Reasons are stored in data sets as faults: another wording would be another data set.
UNPLAYABLE = "made of recordings: no MIDI can play it"
DRUMS_LEFT_OUT = "drums are left out (--drums takes them in)"
SILENT = "no note of it sounds"
# NSynth's valid and test parts hold the same 53 instruments.
_SPLIT_OF_PART = {
    "train": TRAIN,
    "validation": VALID,
    "valid": VALID,
    "test": VALID,
    "test-real": "test-real",
}


class SplitPlace(NamedTuple):
    """The split of an instrument, its group in the manifest, and whether it is one of the split's probes."""

    split: str
    group: int | None = None
    probe: bool = False


class InstrumentCollection:
    """The instruments of several sources by id; of two with the same id the first source's is taken."""

    def __init__(self, paths: Sequence[Path], missing: Missing = "nearest") -> None:
        """`missing` says how NSynth's missing notes are filled. Raises SourceError for a path that is no source."""
        self.sources: list[InstrumentSource] = [
            RealSource(path) if is_real_folder(path) else open_source(path, missing=missing) for path in paths
        ]
        self._source_of: dict[str, InstrumentSource] = {}
        self._duplicates: list[Fault] = []
        for source in self.sources:
            for instrument in source:
                first = self._source_of.setdefault(instrument.id, source)
                if first is not source:
                    fault = f"{source.name}/{instrument.id}", f"{first.name} has this id too"
                    self._duplicates.append(fault)

    def __iter__(self) -> Iterator[SourceInstrument]:
        """Every instrument, by id."""
        return map(self.load, sorted(self._source_of))

    def load(self, key: str) -> SourceInstrument:
        """The instrument, with no audio decoded yet. Raises TrainingError when no source has this id."""
        if key not in self._source_of:
            raise TrainingError(f"no source holds the instrument {key}", value=key)
        return self._source_of[key].get(key)

    def renderable(self, key: str) -> PlayableInstrument | Excerpted:
        """The instrument. Raises TrainingError when there is none of this id, or it neither plays MIDI nor can be cut."""
        instrument = self.load(key)
        return instrument if is_excerpted(instrument) else self.playable(key)

    def recorded(self, key: str) -> Excerpted:
        """The instrument. Raises TrainingError when there is none of this id, or no excerpt of it can be cut."""
        instrument = self.load(key)
        if not is_excerpted(instrument):
            raise TrainingError(f"{key} holds no recordings to cut excerpts from", value=key)
        return instrument

    def playable(self, key: str) -> PlayableInstrument:
        """The instrument. Raises TrainingError when there is none of this id, or MIDI cannot play it."""
        instrument = self.load(key)
        if not is_playable(instrument):
            raise TrainingError(f"{key} is {UNPLAYABLE}", value=key)
        return instrument

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (*(fault for source in self.sources for fault in source.faults), *self._duplicates)

    def hashes(self) -> tuple[SourceInfo, ...]:
        """Each source's name and the sha256 over the names and bytes of its files."""
        return tuple(_hash_source(source) for source in self.sources)


def _hash_source(source: InstrumentSource) -> SourceInfo:
    digest = hashlib.sha256()
    for path in source.files:
        digest.update(f"{path.name}\0{_hash_file(path)}\n".encode(errors="surrogateescape"))
    return SourceInfo(source.name, len(source.files), digest.hexdigest())


def _hash_file(path: Path) -> str:
    """The sha256 of a file; "unreadable" for one that cannot be read, which is reported when it is played."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def place_in_split(
    instrument: SourceInstrument, manifest: dict[str, SplitRow], *, seed: int, valid_share: float
) -> SplitPlace | None:
    """The split of an instrument; None if it is in none."""
    row = manifest.get(instrument.id)
    if row is not None:
        if row["split"] == "excluded":
            return None
        split = _SPLIT_OF_PART.get(row["split"], row["split"])
        return SplitPlace(split, row["group"], bool(row.get("probe")))
    if instrument.source.startswith(f"{DEFAULT_SOUNDFONT}#"):
        return None  # presets of the default library that the manifest does not list are never trained on
    part = getattr(instrument, "part", None)
    if part is not None:
        return SplitPlace(_SPLIT_OF_PART[part])
    drawn = int.from_bytes(hashlib.sha256(f"{seed}\0{instrument.id}".encode()).digest()[:8]) / 2**64
    return SplitPlace(VALID if drawn < valid_share else TRAIN)


def is_audible(samples: NDArray[np.float32]) -> bool:
    """Whether `samples [n]` are finite and loud enough to be worth a clip."""
    peak = float(np.abs(samples).max(initial=0.0))
    return bool(
        np.isfinite(peak) and peak >= SILENT_PEAK and float(np.sqrt(np.mean(samples**2))) >= SILENT_RMS
    )


def held_notes(low: int, high: int, seconds: float) -> Iterator[Note]:
    """Single notes in the middle, the lower and the upper third of a range, held for most of `seconds`."""
    for share in (0.5, 0.3, 0.7):
        yield Note(round(low + share * (high - low)), 100, 0.0, 0.8 * seconds)


def silence_reason(instrument: SourceInstrument) -> str | None:
    """Why an instrument cannot be rendered; None when one of three notes of its range sounds, or an excerpt does."""
    if is_excerpted(instrument):
        return _excerpt_fault(instrument)
    if not is_playable(instrument) or instrument.playable_range is None:
        return UNPLAYABLE
    for seconds in CHECK_SECONDS:
        for note in held_notes(*instrument.playable_range, seconds):
            try:
                samples = instrument.play((note,), seconds, 16_000)
            except ShowMeError as error:
                return error.message
            if is_audible(samples):
                return None
    return SILENT


def _excerpt_fault(instrument: Excerpted) -> str | None:
    """Why no excerpt of recordings can be cut; None when one can."""
    try:
        instrument.excerpt(np.random.default_rng(0), CHECK_SECONDS[-1], 16_000)
    except ShowMeError as error:
        return error.message
    return None


def instrument_faults(instrument: SourceInstrument) -> tuple[Fault, ...]:
    """The parts of an instrument that cannot be used, as far as it was played."""
    return tuple((f"{instrument.id}/{part}", why) for part, why in instrument.faults)


@dataclass(frozen=True)
class InstrumentCheck:
    """The result of playing a few notes: the `reason` to leave the instrument out, or None, and its faulty parts."""

    id: str
    reason: str | None
    faults: tuple[Fault, ...]


def check_instrument(instrument: SourceInstrument) -> InstrumentCheck:
    """Play a few notes of an instrument and say whether it can be rendered."""
    return InstrumentCheck(instrument.id, silence_reason(instrument), instrument_faults(instrument))


def select_instruments(
    spec: RenderSpec,
    collection: InstrumentCollection,
    manifest: dict[str, SplitRow],
    check: Callable[[Sequence[str]], Iterator[InstrumentCheck]],
) -> tuple[tuple[DatasetInstrument, ...], tuple[Fault, ...]]:
    """The audible instruments of the specification's splits, numbered from 1 by id, and the faults of all others.

    Recordings play in data sets of single clips, and voices in productions. `check` runs `check_instrument` on ids, in order.
    Raises TrainingError when a split stays empty.
    """
    placed = {item.id: _place(item, manifest, spec) for item in collection}
    wanted = {key: place for key, place in placed.items() if place is not None and place.split in spec.splits}
    faults = list(collection.faults)
    if not spec.drums:
        kits = [key for key in sorted(wanted) if collection.load(key).family == "drum"]
        faults += [(key, DRUMS_LEFT_OUT) for key in kits]
        wanted = {key: place for key, place in wanted.items() if key not in kits}
    if spec.is_multi and not spec.production:
        recordings = [key for key in sorted(wanted) if is_excerpted(collection.load(key))]
        faults += [(key, UNPLAYABLE) for key in recordings]
        wanted = {key: place for key, place in wanted.items() if key not in recordings}
    rows: list[DatasetInstrument] = []
    for found in check(sorted(wanted)):
        if found.reason is not None:
            faults.append((found.id, found.reason))
            continue
        faults += found.faults
        rows.append(_row(len(rows) + 1, collection.load(found.id), wanted[found.id]))
    for split in spec.splits:
        if not any(row.split == split for row in rows):
            known = ", ".join(sorted({place.split for place in placed.values() if place})) or "none"
            message = (
                f"the sources hold no audible instrument of the split {split}; their splits are: {known}"
            )
            raise TrainingError(message, value=split, limit=known)
    return tuple(rows), tuple(faults)


def _place(
    instrument: SourceInstrument, manifest: dict[str, SplitRow], spec: RenderSpec
) -> SplitPlace | None:
    """The instrument's place in a data set of this specification; None if it takes no part."""
    place = place_in_split(instrument, manifest, seed=spec.seed, valid_share=spec.valid_share)
    if place is None or not spec.production:
        return place
    split = split_in_productions(instrument, place.split, spec.splits)
    return None if split is None else place._replace(split=split)


def _row(number: int, instrument: SourceInstrument, place: SplitPlace) -> DatasetInstrument:
    return DatasetInstrument(
        number=number,
        id=instrument.id,
        name=instrument.name,
        family=instrument.family,
        source=instrument.source,
        split=place.split,
        licence=instrument.licence,
        group=place.group,
        probe=place.probe,
    )
