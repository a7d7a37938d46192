"""Retrieval over HTTP: the share of true presets found in mixtures of three presets of the default library.

Chance is the share that equally many instruments, drawn at random from the library, would find.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf

from benchmarks.figures import Measurement
from benchmarks.lab import Lab
from index.sources.base import Floats, is_silent
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontPlayer
from training.compose import compose

NUM_MIXTURES, NUM_PRESETS = 200, 3
SAMPLE_RATE = 44_100  # hz
SECONDS = 5.0
SEED = 0


@dataclass
class Tally:
    """Per answer: the share of true presets among all hits and among first hits, and the share of the library named."""

    found: list[float] = field(default_factory=list)
    found_first: list[float] = field(default_factory=list)
    named: list[float] = field(default_factory=list)
    named_first: list[float] = field(default_factory=list)

    def add(self, true: set[str], slots: list[dict[str, list[dict[str, str]]]], library_size: int) -> None:
        """Add one answer; `true` holds the names of the mixture's presets."""
        hits = {hit["name"] for slot in slots for hit in slot["hits"]}
        first = {slot["hits"][0]["name"] for slot in slots}
        self.found.append(len(true & hits) / len(true))
        self.found_first.append(len(true & first) / len(true))
        self.named.append(len(hits) / library_size)
        self.named_first.append(len(first) / library_size)


def measure(lab: Lab) -> list[Measurement]:
    server, rng = lab.server(), np.random.default_rng(SEED)
    player = SoundFontPlayer(default_soundfont(), SAMPLE_RATE)
    names = {preset.program: preset.name for preset in player.presets if preset.bank == 0}
    tallies, count_errors = {"auto": Tally(), "paper": Tally()}, []
    for _ in range(NUM_MIXTURES):
        programs = [int(program) for program in rng.choice(sorted(names), NUM_PRESETS, replace=False)]
        path = _write(lab.folder / "three.wav", _mixture(player, programs, rng))
        for mode, tally in tallies.items():
            answer = server.query(path, mode=mode)[1]
            tally.add({names[program] for program in programs}, answer["slots"], len(names))
            if mode == "auto":
                count_errors.append(abs(answer["num_instruments"] - NUM_PRESETS))
    figures = []
    for mode, tally in tallies.items():
        for place, found, named in (
            ("among 5 hits a slot", tally.found, tally.named),
            ("as a first hit", tally.found_first, tally.named_first),
        ):
            detail = f"chance {100 * np.mean(named):.1f} %: {np.mean(named) * len(names):.1f} of {len(names)} named"
            figures.append(
                Measurement(
                    f"true presets found {place}, {mode}", 100 * float(np.mean(found)), "%", None, detail
                )
            )
    detail = f"{NUM_MIXTURES} mixtures of {NUM_PRESETS} presets"
    return [
        *figures,
        Measurement(
            "error in the number of instruments, auto", float(np.mean(count_errors)), "", None, detail
        ),
    ]


def _mixture(player: SoundFontPlayer, programs: list[int], rng: np.random.Generator) -> Floats:
    """Stereo samples [samples, 2]: each preset plays a composed phrase at equal RMS; the peak is half of full scale."""
    parts = []
    for program in programs:
        part = player.render(0, program, compose(rng), SECONDS)
        while is_silent(part):
            part = player.render(0, program, compose(rng), SECONDS)
        parts.append(part / np.sqrt(np.mean(part**2)))
    samples = np.sum(parts, axis=0)
    return np.asarray(0.5 * samples / np.abs(samples).max(), np.float32)


def _write(path: Path, samples: Floats) -> Path:
    sf.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return path
