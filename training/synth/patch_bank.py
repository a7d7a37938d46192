"""Writes a note bank of synthesiser patches, each played in a process of its own, since foreign code may crash, hang or leak.

A finished patch has its audio in `synth/` and its record in `synth/records/`; both are whole or not there, so an interrupted
run resumes. `index.jsonl` is written at the end, without near-duplicates (`training/near_duplicates.py`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.sources.note_bank import INDEX, SLOT_NOTES, NoteBankSource
from index.sources.note_files import SOUNDING_PEAK, read_note
from models.atomic import write_atomically
from models.errors import ShowMeError, TrainingError
from training.near_duplicates import NEAR_DB, InstrumentFeatures, SlotAudio, distances, extract_features
from training.processes import CONTEXT, call_apart, worker_pool
from training.slot_audio import bank_slots
from training.synth.patch_rendering import render_patch
from training.synth.patches import PRELOADED, SynthPatch

FOLDER = "synth"  # of the audio; `training/splits.py` trains on it
RECORDS = "records"
LEFT_OUT = "left_out.jsonl"
LIMIT_SECONDS = 120  # for one patch, which takes one or two

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PatchBankReport:
    """What became of the patches: the number of instruments, and (id, reason) of those left out."""

    instruments: int
    left_out: tuple[tuple[str, str], ...]


def make_patch_bank(
    out: Path,
    patches: Sequence[SynthPatch],
    *,
    workers: int,
    apart_from: Sequence[Path] = (),
    done: Callable[[], None] = lambda: None,
) -> PatchBankReport:
    """Render the patches that `out` lacks, `done` being called after each, and write its index.

    Rows of other folders in the index stay. A patch that sounds like one before it, or like an instrument of the note
    banks `apart_from`, is left out. Raises TrainingError if no patch is left, SourceError for an unusable bank.
    """
    CONTEXT.set_forkserver_preload([PRELOADED])
    with worker_pool(workers) as pool:
        for rendered in as_completed([pool.submit(_record, out, patch) for patch in patches]):
            rendered.result()
            done()
    records = [_read_record(out, patch) for patch in patches]
    rows = {record["id"]: record for record in records if "left_out" not in record}
    left_out = {record["id"]: str(record["left_out"]) for record in records if "left_out" in record}
    if not rows:
        raise TrainingError(f"none of {len(patches)} patches can be used", value=len(patches))
    features = extract_features((key, _slots(out / row["file"])) for key, row in rows.items())
    near = near_duplicates(features, [_bank_features(folder) for folder in apart_from])
    kept = [row for key, row in rows.items() if key not in near]
    left_out |= {key: f"near-duplicate of {other}" for key, other in near.items()}
    _write_lines(out / FOLDER / LEFT_OUT, ({"id": key, "reason": reason} for key, reason in left_out.items()))
    _write_lines(out / INDEX, [*_rows_of_others(out / INDEX), *kept])
    return PatchBankReport(len(kept), tuple(left_out.items()))


def near_duplicates(features: InstrumentFeatures, others: Iterable[InstrumentFeatures]) -> dict[str, str]:
    """Return the id that each near-duplicate resembles: one of `others`, or one before it that is kept."""
    near: dict[str, str] = {}
    for other in others:
        apart = distances(features.features, features.sounds, other.features, other.sounds)  # [a, b]
        for key, row in zip(features.ids, apart, strict=True):
            if row.min() < NEAR_DB:
                near.setdefault(key, other.ids[int(row.argmin())])
    apart = distances(features.features, features.sounds, features.features, features.sounds)  # [a, a]
    kept: list[int] = []
    for place, key in enumerate(features.ids):
        if key in near:
            continue
        if kept and apart[place, kept].min() < NEAR_DB:
            near[key] = features.ids[kept[int(apart[place, kept].argmin())]]
        else:
            kept.append(place)
    return near


def _files(out: Path, patch: SynthPatch) -> tuple[Path, Path]:
    """Return the places of a patch's audio and record."""
    return out / FOLDER / f"{patch.id}.flac", out / FOLDER / RECORDS / f"{patch.id}.json"


def _read_record(out: Path, patch: SynthPatch) -> Record:
    """Return a patch's record: its row of the index, with `left_out` if it cannot be used; empty if it is not rendered."""
    audio, path = _files(out, patch)
    if not path.is_file():
        return {}
    record: Record = json.loads(path.read_bytes())
    return record if "left_out" in record or audio.is_file() else {}


def _record(out: Path, patch: SynthPatch) -> None:
    """Render a patch, unless there is a record of it; runs in a worker."""
    if _read_record(out, patch):
        return
    audio, path = _files(out, patch)
    record: Record = {
        "id": patch.id,
        "file": f"{FOLDER}/{audio.name}",
        "source": patch.synthesiser,
        "bank": patch.bank,
    }
    record |= {"name": patch.name, "gm_program": None, "family": patch.family, "licence": patch.licence}
    try:
        rendered = call_apart(render_patch, patch, limit_seconds=LIMIT_SECONDS)
    except ShowMeError as error:
        record["left_out"] = error.message
    else:
        write_atomically(audio, rendered.audio)
        record |= {"peaks": rendered.peaks, "pitches": rendered.pitches}
    write_atomically(path, json.dumps(record).encode())


def _slots(path: Path) -> SlotAudio:
    samples, _ = read_note(path)
    slots = np.split(samples, len(SLOT_NOTES))
    return [slot if np.abs(slot).max() >= SOUNDING_PEAK else None for slot in slots]


def _bank_features(folder: Path) -> InstrumentFeatures:
    source = NoteBankSource(folder)
    return extract_features((one.id, slots) for one in source if (slots := bank_slots(one)) is not None)


def _rows_of_others(index: Path) -> Iterator[Record]:
    """Yield the rows of an index that belong to other folders. Raises TrainingError for a line that is no JSON object."""
    for number, line in enumerate(index.read_bytes().splitlines() if index.is_file() else (), 1):
        try:
            row = json.loads(line)
            is_ours = str(row["file"]).startswith(f"{FOLDER}/")
        except (ValueError, TypeError, KeyError) as error:
            raise TrainingError(
                f"{index.name}, line {number} is no row of a note bank: {error!r}", value=number
            ) from error
        if not is_ours:
            yield row


def _write_lines(path: Path, rows: Iterable[Record]) -> None:
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
