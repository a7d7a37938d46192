"""Notes, drum kits, voices and MIDI files for the tests of productions, on the training and on the test side."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training.tiny_notes import SAMPLE_RATE, slots, tone, write_instrument, write_midi
from training.nlakh.command import main
from training.splits import SplitRow, write_manifest

FAMILIES = {"bass": 33, "flute": 73, "organ": 19, "string": 48, "guitar": 25}
COUNTS = {"train": 1, "test-same": 3}
PIECES = {"Kick": 36.0, "Snare": 60.0, "Closed HH": 96.0}
BEATS = (36, 42, 38, 42)


@dataclass(frozen=True)
class Inputs:
    """The folders that productions are rendered from."""

    notes: Path
    real: Path
    midi: Path
    manifest: Path

    def command(self, out: Path, *more: str) -> list[str]:
        """The command line that renders `COUNTS` productions."""
        words = ["render", "multi", "--production", "--midi", str(self.midi), "--splits", str(self.manifest)]
        words += ["--notes", str(self.notes), "--notes", str(self.real), "--layout", "compact"]
        counts = [word for split, count in COUNTS.items() for word in ("--mixtures", f"{split}={count}")]
        return [*words, *counts, "--seed", "4", "--workers", "1", "--out", str(out), *more]


def write_recordings(folder: Path) -> None:
    """Write a kit and a voice of nine seconds on each side."""
    rows: list[dict[str, object]] = []

    def add(file: str, samples: np.ndarray, **fields: object) -> None:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
        rows.append({"file": file, "licence": "CC0", "seconds": len(samples) / SAMPLE_RATE, **fields})

    for side in ("train", "test"):
        for name, pitch in PIECES.items():
            about = {"kind": "drums", "instrument": name, "kit": side, "family": "drum", "split": side}
            add(f"drums/{side}/{name}.wav", tone(pitch, 0.3), group=f"{side} drummer", **about)
        about = {"kind": "voice", "instrument": "singer", "family": "vocal", "split": side}
        add(f"voice/{side}/a.wav", tone(57, 9.0, (1.0, 0.9)), group=f"{side} singer", **about)
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_songs(folder: Path) -> None:
    """Write twenty files of five tracks and drums, of 25 seconds; some are held out by the hash of their names."""
    for number in range(20):
        tracks = [
            (channel, program, [(45 + (7 * i + number) % 24, 0.5 * i, 0.5 * i + 0.4) for i in range(50)])
            for channel, program in enumerate(FAMILIES.values())
        ]
        beats = [(BEATS[i % 4], 0.25 * i, 0.25 * i + 0.1) for i in range(100)]
        write_midi(folder / f"{number}.mid", [*tracks, (9, 0, beats)])


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    rows: dict[str, SplitRow] = {}
    for place, family in enumerate(FAMILIES):
        for number, split in enumerate(("train", "train", "test-same", "test-same")):
            key = f"{family}_{number}"
            write_instrument(
                folder / "notes", key, "zyn", slots((1, 0.2 * place, 0.3 * number)), family=family
            )
            rows[key] = {"split": split, "group": len(rows)}
    write_manifest(folder / "splits.json", rows)
    write_recordings(folder / "real")
    write_songs(folder / "midi")
    return Inputs(folder / "notes", folder / "real", folder / "midi", folder / "splits.json")


@pytest.fixture(scope="session")
def made(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished data set of `COUNTS` productions."""
    out = tmp_path_factory.mktemp("made") / "productions"
    assert main(inputs.command(out)) == 0
    return out
