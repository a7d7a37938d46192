"""Command that divides the instruments into train, validation and test sides and writes the manifest.

Instruments are split by identity and by source: near-duplicates by audio, patches of one name and presets of
one GM program form groups that never stand on two sides (section 4 of Kim et al. 2022 knows instruments only).

    showme data splits --notes DIR --out training/splits.json
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from rich.progress import track

from index.sources.base import Note, PlayableInstrument
from index.sources.note_bank import SLOT_NOTES, SLOT_SECONDS, NoteBankInstrument, NoteBankSource
from index.sources.soundfont import SoundFontSource
from models.atomic import write_atomically
from models.errors import SourceError, TrainingError
from models.front_end import FrontEndConfig
from training.near_duplicates import MIN_SHARED_SLOTS, NEAR_DB, Listened, SlotAudio, distances, listen

MANIFEST = Path(__file__).with_name("splits.json")
SEED = 2022
MAX_DRAWN_GROUP = 24  # a larger group stays in train: drawing it would empty a corner of the training set
EXCLUDED_BANKS = frozenset({"Drums", "Noises", "Arpeggios"})
TRAINED_FOLDERS = frozenset({"soundfont", "generaluser", "zyn"})
KEY_HELD_SECONDS = 2.2
FULL_LEVEL = 0.6  # the note banks' instruments peak here


@dataclass(frozen=True)
class Quota:
    """How much is drawn: probes of each side (as many as NSynth holds out) and the size of test-same."""

    probes: int = 53
    test_share: float = 0.10  # of all instruments of the training sources
    test_instruments: int = 100  # at least


class Row(TypedDict):
    """One instrument of the manifest; `probe` marks those that form a side's retrieval library."""

    split: str
    group: int
    probe: NotRequired[bool]
    near: NotRequired[str]
    reason: NotRequired[str]


def _bank_slots(instrument: NoteBankInstrument) -> SlotAudio | None:
    """The eight slots of an instrument, None in place of silent ones; None when it cannot be used at all."""
    try:
        slots = instrument.slots()
    except SourceError:
        return None
    return slots if sum(slot is not None for slot in slots) >= MIN_SHARED_SLOTS else None


def _preset_slots(instrument: PlayableInstrument, sample_rate: int) -> SlotAudio:
    """A preset played at the note banks' pitches and velocities, at their level."""
    slots = [
        instrument.play((Note(int(pitch), velocity, 0.0, KEY_HELD_SECONDS),), SLOT_SECONDS, sample_rate)
        for pitch, velocity in SLOT_NOTES
    ]
    peak = max(float(np.abs(slot).max()) for slot in slots)
    return [slot * (FULL_LEVEL / peak) if peak > 0 else None for slot in slots]


def join(ids: Sequence[str], links: Iterable[Sequence[str]]) -> list[list[str]]:
    """Connected groups of `ids` under `links` (each some ids that belong together), in the order of `ids`."""
    parent = {key: key for key in ids}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for linked in links:
        for other in linked[1:]:
            parent[root(other)] = root(linked[0])
    groups: dict[str, list[str]] = defaultdict(list)
    for key in ids:
        groups[root(key)].append(key)
    return list(groups.values())


def shared_names(entries: Iterable[NoteBankInstrument]) -> list[list[str]]:
    """Ids that share a normalised patch name (synthesiser patches) or a GM program (sound fonts)."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        name = "".join(letter for letter in entry.name.lower() if letter.isalnum())
        if entry.gm_program is not None:
            together["program", str(entry.gm_program)].append(entry.id)
        elif name and entry.name != entry.id:
            together["name", name].append(entry.id)
    return list(together.values())


def draw(
    groups: Sequence[list[str]], kind: dict[str, str], seed: int, quota: Quota
) -> tuple[list[int], list[int]]:
    """Numbers of the groups drawn for validation and test-same, each kind of instrument in proportion.

    Validation takes a group for each probe; test-same as many, then more until it has its share of instruments.
    Raises TrainingError when there are too few groups.
    """
    message = f"{len(groups)} groups are too few for two sides of {quota.probes}"
    if len(groups) < 2 * quota.probes:
        raise TrainingError(message, value=len(groups), limit=2 * quota.probes)
    generator = np.random.default_rng(seed)
    strata: dict[str, list[int]] = defaultdict(list)
    for number in generator.permutation(len(groups)):
        if len(groups[number]) <= MAX_DRAWN_GROUP:
            strata[kind[groups[number][0]]].append(int(number))
    num_instruments = sum(len(group) for group in groups)
    share = Counter(kind[key] for group in groups for key in group)
    take = {name: round(quota.probes * share[name] / num_instruments) for name in sorted(strata)}
    take[max(take, key=lambda name: take[name])] += quota.probes - sum(take.values())
    if any(len(strata[name]) < 2 * take[name] for name in take):
        raise TrainingError(message, value=len(groups), limit=2 * quota.probes)
    validation = [strata[name].pop() for name in take for _ in range(take[name])]
    test = [strata[name].pop() for name in take for _ in range(take[name])]
    rest = [number for name in take for number in strata[name]]
    wanted = max(quota.test_instruments, int(np.ceil(quota.test_share * num_instruments)))
    while rest and sum(len(groups[number]) for number in test) < wanted:
        test.append(rest.pop(int(generator.integers(len(rest)))))
    return validation, test


class Manifest:
    """The rows as they are made, with a running group number."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._num_groups = 0

    def add_group(self, split: str, ids: Sequence[str], probe: str | None = None) -> None:
        for key in ids:
            self.rows[key] = {"split": split, "group": self._num_groups}
            if key == probe:
                self.rows[key]["probe"] = True
        self._num_groups += 1

    def exclude(self, key: str, reason: str) -> None:
        self.rows[key] = {"split": "excluded", "group": self._num_groups, "reason": reason}
        self._num_groups += 1


def split_trained(
    manifest: Manifest, entries: dict[str, NoteBankInstrument], heard: Listened, seed: int, quota: Quota
) -> None:
    """Train, validation and test-same, from the sources that may be trained on."""
    for entry in entries.values():
        if entry.id not in heard.ids:
            manifest.exclude(entry.id, "fewer than three sounding notes")
        elif entry.folder == "zyn" and entry.bank in EXCLUDED_BANKS:
            manifest.exclude(entry.id, f"bank {entry.bank} is not melodic")
    ids = [key for key in entries if key not in manifest.rows]
    heard = heard.only(ids)
    groups = join(ids, [*heard.near_pairs(), *shared_names(entries[key] for key in ids)])
    kind = {key: "synthesiser" if entries[key].folder == "zyn" else "soundfont" for key in ids}
    validation, test = draw(groups, kind, seed, quota)
    generator = np.random.default_rng([seed, 1])
    for number, group in enumerate(groups):
        if number in validation:
            manifest.add_group("validation", group, str(generator.choice(group)))
        elif number in test:
            chosen = str(generator.choice(group)) if test.index(number) < quota.probes else None
            manifest.add_group("test-same", group, chosen)
        else:
            manifest.add_group("train", group)


def split_held(manifest: Manifest, split: str, heard: Listened) -> None:
    """A held-out source: one side for all, the first of each group of near-duplicates its probe."""
    for group in join(heard.ids, heard.near_pairs()):
        manifest.add_group(split, group, group[0])


def split_default(manifest: Manifest, heard: Listened, trained: Listened) -> None:
    """The default library's presets, less those with a near-duplicate in train."""
    train = trained.only(key for key, row in manifest.rows.items() if row["split"] == "train")
    apart = distances(heard.features, heard.sounds, train.features, train.sounds)  # [presets, train]
    split_held(
        manifest,
        "test-default",
        heard.only(k for k, row in zip(heard.ids, apart, strict=True) if row.min() >= NEAR_DB),
    )
    for key, row in zip(heard.ids, apart, strict=True):
        if row.min() < NEAR_DB:
            manifest.exclude(key, "near-duplicate in train")
            manifest.rows[key]["near"] = train.ids[int(row.argmin())]


def make_splits(
    notes: Path,
    *,
    soundfont: Path | None = None,
    seed: int = SEED,
    quota: Quota | None = None,
    progress: bool = True,
) -> dict[str, Row]:
    """The manifest of a folder of note banks and, when given, of a default library's sound font."""
    everyone = list(NoteBankSource(notes))
    slotted = [entry for entry in everyone if not entry.is_recorded]
    heard = listen(
        (entry.id, slots)
        for entry in track(slotted, "listening", disable=not progress)
        if (slots := _bank_slots(entry)) is not None
    )
    manifest = Manifest()
    trained = {entry.id: entry for entry in slotted if entry.folder in TRAINED_FOLDERS}
    split_trained(manifest, trained, heard, seed, quota or Quota())
    engine = heard.only(entry.id for entry in slotted if entry.folder not in TRAINED_FOLDERS)
    if engine.ids:
        split_held(manifest, "test-engine", engine)
    for entry in everyone:
        if entry.is_recorded:
            manifest.add_group("test-recorded", [entry.id], entry.id)
    if soundfont is not None:
        rate = FrontEndConfig().sample_rate
        presets = SoundFontSource(soundfont, banks={0})
        default = listen(
            (preset.id, _preset_slots(preset, rate))
            for preset in track(list(presets), "default library", disable=not progress)
        )
        split_default(manifest, default, heard)
    return dict(sorted(manifest.rows.items()))


def write_manifest(path: Path, rows: dict[str, Row]) -> None:
    """Sorted JSON, one instrument a line."""
    lines = [f" {json.dumps(key)}: {json.dumps(row, sort_keys=True)}" for key, row in sorted(rows.items())]
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_manifest(path: Path = MANIFEST) -> dict[str, Row]:
    """Rows by instrument id. Raises TrainingError when the file is missing or no manifest."""
    try:
        rows: dict[str, Row] = json.loads(path.read_text())
        for key, row in rows.items():
            if not isinstance(row["split"], str) or not isinstance(row["group"], int):
                raise ValueError(f"{key} has no split or no group")
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no split manifest: {error!r}", value=str(path)) from error
    return rows


def probes_only(rows: dict[str, Row]) -> dict[str, Row]:
    """The same manifest with all but the probes left out, for mixtures of a retrieval library's instruments."""
    left_out: Row = {"split": "excluded", "group": -1}
    return {key: row if row.get("probe") else left_out | {"group": row["group"]} for key, row in rows.items()}


def summary(rows: dict[str, Row]) -> str:
    """Counts per side, the largest group and how many presets of the default library were left out."""
    sides = Counter(row["split"] for row in rows.values())
    probes = Counter(row["split"] for row in rows.values() if row.get("probe"))
    largest = Counter(row["group"] for row in rows.values()).most_common(1)
    lines = [
        f"{side:14} {count:5} instruments {probes[side]:4} probes" for side, count in sorted(sides.items())
    ]
    lines += [
        f"excluded, {why}: {n}"
        for why, n in Counter(r["reason"] for r in rows.values() if "reason" in r).items()
    ]
    return "\n".join([*lines, f"largest group: {largest[0][1] if largest else 0} instruments"])
