"""Write small note banks and folders in NSynth's layout: tones with overtones, and wav files with false headers."""

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile as sf

from index.sources.base import Floats
from index.sources.note_bank import SLOT_NOTES, SLOT_SECONDS

SAMPLE_RATE = 16_000
SLOT_SAMPLES = round(SLOT_SECONDS * SAMPLE_RATE)


def tone(pitch: float, seconds: float = 2.2, level: float = 0.3, sample_rate: int = SAMPLE_RATE) -> Floats:
    """A decaying tone with an overtone, `[seconds · sample_rate]`."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    hz = 440 * 2 ** ((pitch - 69) / 12)
    wave = np.sin(2 * np.pi * hz * time) + 0.5 * np.sin(4 * np.pi * hz * time)
    return (level * np.exp(-0.5 * time) * wave).astype(np.float32)


def loudest_hz(samples: Floats, sample_rate: int = SAMPLE_RATE) -> float:
    """Return the frequency of the strongest partial."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(spectrum.argmax() * sample_rate / (8 * len(samples)))


def slots(silent: Iterable[int] = ()) -> list[Floats]:
    """Return the eight slots of an instrument, each `[48000]`; the slots in `silent` are zero."""
    made = [np.zeros(SLOT_SAMPLES, np.float32) for _ in SLOT_NOTES]
    for number, (pitch, velocity) in enumerate(SLOT_NOTES):
        if number not in silent:
            samples = tone(pitch) * np.float32(velocity / 100)
            made[number][: len(samples)] = samples
    return made


def write_slots(folder: Path, key: str, part: str, made: Sequence[Floats], **fields: object) -> Path:
    """Add an instrument of eight slots, audio and index row, to the bank in `folder`; return the audio file."""
    path = folder / part / f"{key}.ogg"
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.concatenate(made), SAMPLE_RATE, format="OGG", subtype="VORBIS")
    row: dict[str, object] = {
        "id": key,
        "file": f"{part}/{key}.ogg",
        "source": part,
        "name": key,
        "bank": None,
    }
    row |= {"gm_program": None, "family": None, "peaks": [float(np.abs(slot).max()) for slot in made]}
    append_row(folder, row | fields)
    return path


def append_row(folder: Path, row: object) -> None:
    with (folder / "index.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def nsynth_row(key: str, **fields: object) -> dict[str, object]:
    """Return the metadata of a note in NSynth's format."""
    instrument, pitch, velocity = key.rsplit("-", 2)
    family, source, _ = instrument.rsplit("_", 2)
    row: dict[str, object] = {"note_str": key, "instrument_str": instrument, "instrument_family_str": family}
    row |= {
        "instrument_source_str": source,
        "qualities": [0] * 10,
        "qualities_str": [],
        "sample_rate": SAMPLE_RATE,
    }
    return row | {"pitch": int(pitch), "velocity": int(velocity)} | fields


def write_nsynth(folder: Path, keys: Iterable[str], rows: dict[str, object] | None = None) -> Path:
    """Write a folder with a row and a half-second wav for each key; `rows` are added or replace rows of the same key."""
    (folder / "audio").mkdir(parents=True)
    found: dict[str, object] = {}
    for key in keys:
        _, pitch, velocity = key.rsplit("-", 2)
        write_note(folder, key, tone(int(pitch), 0.5, level=0.3 * int(velocity) / 127))
        found[key] = nsynth_row(key)
    (folder / "examples.json").write_text(json.dumps(found | (rows or {}), indent=1))
    return folder


def write_note(folder: Path, key: str, samples: Floats, sample_rate: int = SAMPLE_RATE) -> Path:
    path = folder / "audio" / f"{key}.wav"
    sf.write(path, samples, sample_rate, subtype="PCM_16")
    return path


def lie_about_length(path: Path) -> None:
    """Make the header of a wav declare twice its number of samples."""
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    struct.pack_into("<I", content, at, 2 * struct.unpack_from("<I", content, at)[0])
    path.write_bytes(content)


def lie_about_rate(path: Path, sample_rate: int) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"fmt ") + 12, sample_rate)
    path.write_bytes(content)
