"""Divides the instruments into train, validation and test splits, and reads and writes the manifest of the result.

Instruments are split by identity and by source: near-duplicates by audio, patches of one name and presets of one GM program
form groups, and no group spans two splits (section 4 of Kim et al. 2022 splits single instruments).

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

from index.sources.note_bank import NoteBankInstrument, NoteBankSource
from index.sources.soundfont import SoundFontSource
from models.atomic import write_atomically
from models.errors import TrainingError
from training.near_duplicates import (
    NEAR_DB,
    InstrumentFeatures,
    distances,
    extract_features,
)
from training.slot_audio import bank_slots, played_slots, recorded_features

MANIFEST = Path(__file__).with_name("splits.json")
SEED = 2022
MAX_DRAWN_GROUP = 24  # larger groups stay in train: drawing one would empty a region of the training set
EXCLUDED_BANKS = frozenset({"Drums", "Noises", "Arpeggios"})
SYNTHESISER_FOLDERS = frozenset({"zyn", "synth"})
TRAINED_FOLDERS = frozenset({"soundfont", "generaluser"}) | SYNTHESISER_FOLDERS


@dataclass(frozen=True)
class Quota:
    """The sizes to draw: probes of each split (NSynth holds out 53 instruments), and the instruments of test-same."""

    probes: int = 53
    test_share: float = 0.10  # of all instruments of the training sources
    test_instruments: int = 100  # at least


class SplitRow(TypedDict):
    """One instrument of the manifest; the probes of a split form its retrieval library."""

    split: str
    group: int
    probe: NotRequired[bool]
    near: NotRequired[str]
    reason: NotRequired[str]


def join(ids: Sequence[str], links: Iterable[Sequence[str]]) -> list[list[str]]:
    """Connected groups of `ids` under `links` (each a set of ids that belong together), in the order of `ids`."""
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
    """Groups of ids that share a normalised patch name (synthesiser patches) or a GM program (sound fonts)."""
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
    """Draw the groups of validation and of test-same, by number, with the kinds of instruments in proportion.

    Validation gets one group for each probe; test-same gets as many, then more until it has its share of instruments.
    Raises TrainingError when there are too few groups.
    """
    message = f"{len(groups)} groups are too few for two splits of {quota.probes}"
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
    """Builds the manifest's rows; numbers the groups as they are added."""

    def __init__(self) -> None:
        self.rows: dict[str, SplitRow] = {}
        self._num_groups = 0

    def add_group(self, split: str, ids: Sequence[str], probe: str | None = None) -> None:
        """Put a group into a split; `probe` is the id of its probe."""
        for key in ids:
            self.rows[key] = {"split": split, "group": self._num_groups}
            if key == probe:
                self.rows[key]["probe"] = True
        self._num_groups += 1

    def exclude(self, key: str, reason: str) -> None:
        """Keep an instrument out of all splits."""
        self.rows[key] = {"split": "excluded", "group": self._num_groups, "reason": reason}
        self._num_groups += 1


def split_trained(
    manifest: Manifest,
    entries: dict[str, NoteBankInstrument],
    features: InstrumentFeatures,
    seed: int,
    quota: Quota,
) -> None:
    """Divide the training sources into train, validation and test-same."""
    for entry in entries.values():
        if entry.id not in features.ids:
            manifest.exclude(entry.id, "fewer than three sounding notes")
        elif entry.folder == "zyn" and entry.bank in EXCLUDED_BANKS:
            manifest.exclude(entry.id, f"bank {entry.bank} is not melodic")
    ids = [key for key in entries if key not in manifest.rows]
    features = features.only(ids)
    groups = join(ids, [*features.near_pairs(), *shared_names(entries[key] for key in ids)])
    kind = {key: "synthesiser" if entries[key].folder in SYNTHESISER_FOLDERS else "soundfont" for key in ids}
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


def split_held(manifest: Manifest, split: str, features: InstrumentFeatures) -> None:
    """Put a held-out source into one split; the first of each group of near-duplicates is a probe."""
    for group in join(features.ids, features.near_pairs()):
        manifest.add_group(split, group, group[0])


def split_default(manifest: Manifest, features: InstrumentFeatures, trained: InstrumentFeatures) -> None:
    """Put the default library's presets into test-default, except those with a near-duplicate in train."""
    train = trained.only(key for key, row in manifest.rows.items() if row["split"] == "train")
    apart = distances(features.features, features.sounds, train.features, train.sounds)  # [presets, train]
    split_held(
        manifest,
        "test-default",
        features.only(k for k, row in zip(features.ids, apart, strict=True) if row.min() >= NEAR_DB),
    )
    for key, row in zip(features.ids, apart, strict=True):
        if row.min() < NEAR_DB:
            manifest.exclude(key, "near-duplicate in train")
            manifest.rows[key]["near"] = train.ids[int(row.argmin())]


def exclude_near(manifest: Manifest, held: InstrumentFeatures, trained: InstrumentFeatures) -> None:
    """Take held-out instruments that have a near-duplicate among further training instruments out of their splits."""
    apart = distances(held.features, held.sounds, trained.features, trained.sounds)  # [held, trained]
    for key, row in zip(held.ids, apart, strict=True):
        if row.min() < NEAR_DB and manifest.rows[key]["split"] not in ("train", "excluded"):
            manifest.exclude(key, "near-duplicate in train")
            manifest.rows[key]["near"] = trained.ids[int(row.argmin())]


def make_splits(
    notes: Path,
    *,
    soundfont: Path | None = None,
    real: Path | None = None,
    seed: int = SEED,
    quota: Quota | None = None,
    progress: bool = True,
) -> dict[str, SplitRow]:
    """Divide a folder of note banks and, when given, a default library's SoundFont; returns the manifest's rows.

    Held-out instruments that resemble a training one of `real`, a folder of real recordings, are left out.
    """
    everyone = list(NoteBankSource(notes))
    slotted = [entry for entry in everyone if not entry.is_recorded]
    features = extract_features(
        (entry.id, slots)
        for entry in track(everyone, "comparing", disable=not progress)
        if (slots := bank_slots(entry)) is not None
    )
    manifest = Manifest()
    trained = {entry.id: entry for entry in slotted if entry.folder in TRAINED_FOLDERS}
    split_trained(manifest, trained, features, seed, quota or Quota())
    engine = features.only(entry.id for entry in slotted if entry.folder not in TRAINED_FOLDERS)
    if engine.ids:
        split_held(manifest, "test-engine", engine)
    for entry in everyone:
        if entry.is_recorded:
            manifest.add_group("test-recorded", [entry.id], entry.id)
    if soundfont is not None:
        presets = SoundFontSource(soundfont, banks={0})
        default = extract_features(
            (preset.id, played_slots(preset))
            for preset in track(list(presets), "default library", disable=not progress)
        )
        split_default(manifest, default, features)
        features = features.joined(default)
    if real is not None:
        exclude_near(manifest, features.only(manifest.rows), recorded_features(real))
    return dict(sorted(manifest.rows.items()))


def write_manifest(path: Path, rows: dict[str, SplitRow]) -> None:
    """Write the manifest as sorted JSON, one instrument a line."""
    lines = [f" {json.dumps(key)}: {json.dumps(row, sort_keys=True)}" for key, row in sorted(rows.items())]
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_manifest(path: Path = MANIFEST) -> dict[str, SplitRow]:
    """Rows by instrument id. Raises TrainingError when the file is missing or no manifest."""
    try:
        rows: dict[str, SplitRow] = json.loads(path.read_text())
        for key, row in rows.items():
            if not isinstance(row["split"], str) or not isinstance(row["group"], int):
                raise ValueError(f"{key} has no split or no group")
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no split manifest: {error!r}", value=str(path)) from error
    return rows


def probes_only(rows: dict[str, SplitRow]) -> dict[str, SplitRow]:
    """The same manifest with all but the probes excluded, for mixtures of a retrieval library's instruments."""
    left_out: SplitRow = {"split": "excluded", "group": -1}
    return {key: row if row.get("probe") else left_out | {"group": row["group"]} for key, row in rows.items()}


def summary(rows: dict[str, SplitRow]) -> str:
    """Text: counts of each split, counts of each reason for exclusion, and the size of the largest group."""
    counts = Counter(row["split"] for row in rows.values())
    probes = Counter(row["split"] for row in rows.values() if row.get("probe"))
    largest = Counter(row["group"] for row in rows.values()).most_common(1)
    lines = [
        f"{split:14} {count:5} instruments {probes[split]:4} probes"
        for split, count in sorted(counts.items())
    ]
    lines += [
        f"excluded, {why}: {n}"
        for why, n in Counter(r["reason"] for r in rows.values() if "reason" in r).items()
    ]
    return "\n".join([*lines, f"largest group: {largest[0][1] if largest else 0} instruments"])
