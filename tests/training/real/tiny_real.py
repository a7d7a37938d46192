"""A tiny folder of real recordings for the tests: notes, a kit, single drums, voices, a solo, a noise, a room."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16_000

# (file, kind, name, family, group, side, seconds, other fields)
RealFile = tuple[str, str, str | None, str | None, str, str, float, dict[str, object]]
FILES: tuple[RealFile, ...] = (
    ("notes/horn/060.wav", "notes", "horn", "brass", "makers", "train", 2.0, {"midi_measured": 60.0, "pitch_conf": 0.9}),
    ("notes/horn/067.wav", "notes", "horn", "brass", "makers", "train", 2.0, {"midi_measured": 67.1, "pitch_conf": 0.9}),
    ("notes/harp/055.wav", "notes", "harp", "string", "others", "test", 1.5, {"midi_labelled": 55, "pitch_conf": 0.1}),
    ("drums/kit/kick.wav", "drums", "Kick 1", "drum", "drummer", "train", 0.3, {"kit": "Kit", "peak_src": 0.9}),
    ("drums/kit/snare_soft.wav", "drums", "Snare", "drum", "drummer", "train", 0.2, {"kit": "Kit", "peak_src": 0.2}),
    ("drums/kit/snare_loud.wav", "drums", "Snare", "drum", "drummer", "train", 0.2, {"kit": "Kit", "peak_src": 0.8}),
    ("drums/kit/hat.wav", "drums", "Closed HH", "drum", "drummer", "train", 0.1, {"kit": "Kit"}),
    ("drums/loose/gong.wav", "drums", "Gong 1", "drum", "gongs", "test", 1.0, {"kit": "Loose"}),
    ("drums/loose/gong2.wav", "drums", "Gong 2", "drum", "gongs", "test", 1.0, {"kit": "Loose"}),
    ("voice/en/a.wav", "voice", "speaker", "vocal", "speakers", "train", 8.0, {}),
    ("solos/x/riff.wav", "solos", "riff", "guitar", "players", "train", 0.6, {}),
    ("solos/y/tune.wav", "solos", "tune", "flute", "stage", "test", 6.0, {}),
    ("mixes/band/song.wav", "mixes", None, None, "band", "train", 6.0, {}),
    ("rooms/fan/fan.wav", "rooms", None, None, "fans", "train", 3.0, {"what": "noise: fan"}),
    ("rooms/hall/ir.wav", "rooms", None, None, "halls", "train", 1.0, {"what": "impulse response: hall"}),
)  # fmt: skip


def write_real(folder: Path, files: Sequence[RealFile] = FILES) -> Path:
    """Write the folder; every file is a decaying tone of its own pitch."""
    rows = []
    for number, (file, kind, name, family, group, side, seconds, others) in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        pitch = float(str(others.get("midi_measured") or others.get("midi_labelled") or 48 + number))
        tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) * np.exp(-time / seconds)
        soundfile.write(path, 0.5 * tone, SAMPLE_RATE, subtype="PCM_16")
        fields = {"file": file, "kind": kind, "instrument": name, "family": family, "group": group}
        rows.append({**fields, "split": side, "seconds": seconds, "licence": "CC0", **others})
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
