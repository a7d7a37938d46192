"""Which instruments of the given sources take part, on which side, and whether they sound at all.

Section 4 of Kim et al. 2022 splits by instrument as NSynth does (953/53). Instruments that a manifest knows go by it (there
near-duplicates stand together); NSynth's by its own parts; any other library's by a seeded hash of their ids.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.sources.base import InstrumentSource, Note, PlayableInstrument, SourceInstrument, is_playable
from index.sources.default import DEFAULT_SOUNDFONT
from index.sources.nsynth import Missing
from index.sources.opening import open_source
from models.errors import ShowMeError, TrainingError
from training.nlakh.dataset import TRAIN, VALID, DatasetInstrument, SourceInfo
from training.splits import Row

CHECK_SECONDS = (1.0, 5.0)  # the second for what swells slowly
SILENT_PEAK, SILENT_RMS = 1e-3, 1e-4
_PUBLISHED = {
    "train": TRAIN,
    "validation": VALID,
    "valid": VALID,
    "test": VALID,
}  # NSynth tests on its valid instruments

Fault = tuple[str, str]  # what, why
Placed = tuple[str, int | None, bool]  # split, group, probe


class Library:
    """The instruments of several sources by id; of two that share an id the first source's is taken."""

    def __init__(self, paths: Sequence[Path], missing: Missing = "nearest") -> None:
        """`missing` is what NSynth's holes are filled with. Raises SourceError for a path that is no source."""
        self.sources = [open_source(path, missing=missing) for path in paths]
        self._source_of: dict[str, InstrumentSource] = {}
        self._doubles: list[Fault] = []
        for source in self.sources:
            for instrument in source:
                first = self._source_of.setdefault(instrument.id, source)
                if first is not source:
                    self._doubles.append((f"{source.name}/{instrument.id}", f"{first.name} has this id too"))

    def __iter__(self) -> Iterator[SourceInstrument]:
        """Every instrument, by id."""
        return map(self.load, sorted(self._source_of))

    def load(self, key: str) -> SourceInstrument:
        """The instrument, with no audio decoded yet. Raises TrainingError when there is none of this id."""
        if key not in self._source_of:
            raise TrainingError(f"no source holds the instrument {key}", value=key)
        return self._source_of[key].get(key)

    def playable(self, key: str) -> PlayableInstrument:
        """Raises TrainingError when there is none, or it is made of recordings that no MIDI can play."""
        instrument = self.load(key)
        if not is_playable(instrument):
            raise TrainingError(f"{key} is made of recordings: no MIDI can play it", value=key)
        return instrument

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (*(fault for source in self.sources for fault in source.faults), *self._doubles)


def hash_source(name: str, files: Sequence[Path]) -> SourceInfo:
    """The sha256 over the names and bytes of a source's files, in the order given."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0{_hash_file(path)}\n".encode(errors="surrogateescape"))
    return SourceInfo(name, len(files), digest.hexdigest())


def _hash_file(path: Path) -> str:
    """What cannot be read is no reason to stop: it is left out, and named, when it is played."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def place(
    instrument: SourceInstrument, manifest: dict[str, Row], *, seed: int, valid_share: float
) -> Placed | None:
    """The side of an instrument; None when it takes no part."""
    row = manifest.get(instrument.id)
    if row is not None:
        if row["split"] == "excluded":
            return None
        return _PUBLISHED.get(row["split"], row["split"]), row["group"], bool(row.get("probe"))
    if instrument.source.startswith(f"{DEFAULT_SOUNDFONT}#"):
        return (
            None  # the product's default library: what the manifest does not list of it is never trained on
        )
    part = getattr(instrument, "part", None)
    if part is not None:
        return _PUBLISHED[part], None, False
    drawn = int.from_bytes(hashlib.sha256(f"{seed}\0{instrument.id}".encode()).digest()[:8]) / 2**64
    return (VALID if drawn < valid_share else TRAIN), None, False


def is_heard(samples: NDArray[np.float32]) -> bool:
    """Whether `samples [n]` are finite and loud enough to be worth a clip."""
    peak = float(np.abs(samples).max(initial=0.0))
    return bool(
        np.isfinite(peak) and peak >= SILENT_PEAK and float(np.sqrt(np.mean(samples**2))) >= SILENT_RMS
    )


def held_notes(low: int, high: int, seconds: float) -> Iterator[Note]:
    """Single notes in the middle, the lower and the upper third of a range, held for most of `seconds`."""
    for share in (0.5, 0.3, 0.7):
        yield Note(round(low + share * (high - low)), 100, 0.0, 0.8 * seconds)


def why_mute(instrument: SourceInstrument) -> str | None:
    """Why an instrument cannot be rendered, or None when one of three notes of its range sounds."""
    if not is_playable(instrument) or instrument.playable_range is None:
        return "made of recordings: no MIDI can play it"
    for seconds in CHECK_SECONDS:
        for note in held_notes(*instrument.playable_range, seconds):
            try:
                samples = instrument.play((note,), seconds, 16_000)
            except ShowMeError as error:
                return error.message
            if is_heard(samples):
                return None
    return "no note of it sounds"


def parts_left_out(instrument: SourceInstrument) -> tuple[Fault, ...]:
    """What of an instrument cannot be used, as far as it was played."""
    return tuple((f"{instrument.id}/{part}", why) for part, why in instrument.faults)


Checked = tuple[str, str | None, tuple[Fault, ...]]
Check = Callable[[Sequence[str]], Iterator[Checked]]


def cast(
    library: Library,
    manifest: dict[str, Row],
    splits: Sequence[str],
    check: Check,
    *,
    seed: int,
    valid_share: float,
    drums: bool,
) -> tuple[tuple[DatasetInstrument, ...], tuple[Fault, ...]]:
    """The instruments of `splits` that sound, numbered from 1 by id, and the faults of those that do not.

    `check` runs `why_mute` on ids and yields (id, reason or None, faults). Raises TrainingError when a split stays empty.
    """
    placed = {item.id: place(item, manifest, seed=seed, valid_share=valid_share) for item in library}
    wanted = {key: side for key, side in placed.items() if side is not None and side[0] in splits}
    faults = list(library.faults)
    if not drums:
        kits = [key for key in sorted(wanted) if library.load(key).family == "drum"]
        faults += [(key, "drums are left out (--drums takes them in)") for key in kits]
        wanted = {key: side for key, side in wanted.items() if key not in kits}
    rows: list[DatasetInstrument] = []
    for key, reason, partly in check(sorted(wanted)):
        item, (split, group, probe) = library.load(key), wanted[key]
        if reason is not None:
            faults.append((key, reason))
            continue
        faults += partly
        rows.append(
            DatasetInstrument(
                number=len(rows) + 1,
                id=key,
                name=item.name,
                family=item.family,
                source=item.source,
                split=split,
                licence=item.licence,
                group=group,
                probe=probe,
            )
        )
    for split in splits:
        if not any(row.split == split for row in rows):
            sides = ", ".join(sorted({side[0] for side in placed.values() if side is not None})) or "none"
            message = f"the sources hold no instrument of the split {split} that sounds; theirs are: {sides}"
            raise TrainingError(message, value=split, limit=sides)
    return tuple(rows), tuple(faults)
