"""What a clip bank is made of: the instruments of one split, their sources, and the numbers that decide it.

Section 4 of Kim et al. 2022 renders a set number of clips for each instrument of a split; by the plan's digest a
half-rendered folder is recognised.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from index.sources.default import default_soundfont
from models.errors import TrainingError
from models.front_end import FrontEndConfig
from training.bank import BankInstrument
from training.instruments import PresetBank
from training.note_bank import NoteBank
from training.phrases import PhraseBook
from training.splits import Row

PLAN_FORMAT = 1
SHARD_INSTRUMENTS = 16


@dataclass(frozen=True)
class Plan:
    """Everything that decides a bank's bytes."""

    split: str
    seed: int
    clips: int
    sample_rate: int
    clip_samples: int
    phrases: str  # fingerprint of the MIDI files, or "composed"
    held_midi: bool
    instruments: tuple[BankInstrument, ...]

    @property
    def digest(self) -> str:
        """Hash by which a half-rendered folder is recognised."""
        return hashlib.sha256(json.dumps([PLAN_FORMAT, asdict(self)], sort_keys=True).encode()).hexdigest()

    def shard(self, number: int) -> tuple[BankInstrument, ...]:
        return self.instruments[number * SHARD_INSTRUMENTS : (number + 1) * SHARD_INSTRUMENTS]

    @property
    def num_shards(self) -> int:
        return -(-len(self.instruments) // SHARD_INSTRUMENTS)


@dataclass(frozen=True)
class Sources:
    """Where the instruments and phrases come from; opened anew in each worker."""

    notes: Path | None
    soundfonts: tuple[Path, ...]
    midi: Path | None
    cache: Path | None


def find_instruments(
    sources: Sources, manifest: dict[str, Row], split: str, sample_rate: int
) -> tuple[BankInstrument, ...]:
    """Instruments of a split that the sources hold, by id.

    Presets of a sound font that the manifest does not know are the caller's choice and join as "unlisted".
    """
    found: list[BankInstrument] = []

    def add(key: str, name: str, family: str | None, source: str, row: Row | None) -> None:
        if row is None or row["split"] == split:
            side, group = (row["split"], row["group"]) if row else ("unlisted", None)
            found.append(
                BankInstrument(key, name, family, source, side, group, bool(row and row.get("probe")))
            )

    if sources.notes is not None:
        for entry in NoteBank(sources.notes).entries.values():
            if entry.id in manifest:
                add(entry.id, entry.name, entry.family, entry.source, manifest[entry.id])
    for path in sources.soundfonts:
        presets = PresetBank(path, sample_rate)
        for key in presets.ids:
            preset = presets.load(key)
            listed = manifest.get(key)
            if listed is not None or path != default_soundfont():
                add(key, preset.name, preset.family, preset.source, listed)
    if not found:
        raise TrainingError(f"the sources hold no instrument of the split {split}", value=split)
    return tuple(sorted(found, key=lambda instrument: instrument.id))


def make_plan(
    sources: Sources, manifest: dict[str, Row], *, split: str, clips: int, seed: int, workers: int = 1
) -> Plan:
    """The plan of a split; train takes the training part of the MIDI files, other sides the held-out part."""
    config = FrontEndConfig()
    book = PhraseBook.from_midi(sources.midi, workers=workers, cache=sources.cache) if sources.midi else None
    return Plan(
        split=split,
        seed=seed,
        clips=clips,
        sample_rate=config.sample_rate,
        clip_samples=config.clip_samples,
        phrases=book.fingerprint if book else "composed",
        held_midi=split != "train",
        instruments=find_instruments(sources, manifest, split, config.sample_rate),
    )
