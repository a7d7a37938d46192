"""Render one tiny data set of each kind from made-up notes and MIDI, and hash every byte of it.

`python -m tests.training.nlakh.golden` prints the hashes. This file uses the command line only, so it runs unchanged with
`PYTHONPATH` set to a checkout of release 0.2.0 (commit 0ab6738).
The inputs are computed with integers, so that they do not depend on the rounding or encoder of any library.
"""

import hashlib
import json
import struct
import tempfile
import wave
from pathlib import Path

import numpy as np

from training.nlakh.command import main

RATE = 16_000
PROGRAMS = {"bass": 33, "flute": 73, "organ": 19}
PITCHES = range(36, 97, 6)
# The instruments of each family; both parts have number 3.
PARTS = {"nsynth-train": range(4), "nsynth-valid": range(3, 6)}
COMMANDS = {
    "single": ("--layout", "folders", "--clips", "3"),
    "multi": ("--layout", "compact", "--mixtures", "train=8", "--mixtures", "valid=3", "--level-range", "3"),
}


def _wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _sawtooth(pitch: int, colour: int) -> np.ndarray:
    """Return a decaying tone of one second, int [16000], computed with integers; `colour` 0…5 adds an octave."""
    time = np.arange(RATE)
    step = 1 << (pitch // 12 + 1)
    phase = (time * step * (40 + pitch % 12)) % 65_536 - 32_768
    octave = (2 * time * step * (40 + pitch % 12)) % 65_536 - 32_768
    return (phase * (6 - colour) + octave * colour) // 16 * (RATE - time) // RATE


def write_notes(folder: Path, numbers: range) -> None:
    """Write a folder in NSynth's layout: an instrument of each number in each of three families."""
    (folder / "audio").mkdir(parents=True)
    examples = {}
    for family in PROGRAMS:
        for number in numbers:
            for pitch in PITCHES:
                name = f"{family}_acoustic_{number:03d}-{pitch:03d}-100"
                _wav(folder / f"audio/{name}.wav", _sawtooth(pitch, number))
                examples[name] = {"instrument_str": name.split("-")[0]}
    (folder / "examples.json").write_text(json.dumps(examples))


def _track(channel: int, program: int, shift: int) -> bytes:
    """Return a track of thirty notes of half a second each, without overlaps."""
    events = bytes([0, 0xC0 | channel, program])
    for place in range(30):
        pitch = 45 + (7 * place + shift) % 24
        events += bytes([0, 0x90 | channel, pitch, 90, 0x83, 0x60, 0x80 | channel, pitch, 0])
    events += b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(events)) + events


def write_midi(folder: Path) -> None:
    """Write twenty files with a track for each family, and a damaged file."""
    folder.mkdir()
    for number in range(20):
        tracks = [_track(channel, program, number) for channel, program in enumerate(PROGRAMS.values())]
        head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), 480)
        (folder / f"{number}.mid").write_bytes(head + b"".join(tracks))
    (folder / "damaged.mid").write_bytes(b"MThd, but no more")


def render(kind: str, folder: Path) -> Path:
    """Render the data set of `kind`; missing notes and MIDI files are written to `folder` first."""
    if not (folder / "midi").exists():
        for part, numbers in PARTS.items():
            write_notes(folder / part, numbers)
        write_midi(folder / "midi")
        (folder / "loops").mkdir()
        _wav(folder / "loops/loop.wav", _sawtooth(60, 0))
    notes = [word for part in (*PARTS, "loops") for word in ("--notes", str(folder / part))]
    command = ["render", kind, *notes, "--midi", str(folder / "midi"), "--out", str(folder / kind)]
    assert main([*command, *COMMANDS[kind], "--seed", "5", "--workers", "1"]) == 0
    return folder / kind


def digest(folder: Path) -> str:
    """Return the sha256 of the names and bytes of all files in a folder."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        for data_set in COMMANDS:
            print(data_set, digest(render(data_set, Path(work))))
