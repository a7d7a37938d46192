"""The page's demo track: a piece of our own, played by presets of the default library.

    python -m app.demo_track        # writes app/web/src/query/demo.mp3

Four instruments enter one after another, so that an answer to it shows what lanes are. Of the SoundFont it holds the sound of
the played notes alone; docs/DATA.md names the licences.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.sources.base import PREVIEW_PEAK_DBFS, Floats, Note
from index.sources.default import MELODIC_BANK, default_soundfont
from index.sources.soundfont import DRUM_BANK, SoundFontPlayer
from models.audio import write_mp3

DEMO_FILE = Path(__file__).parent / "web" / "src" / "query" / "demo.mp3"
SAMPLE_RATE = 32_000  # hz; keeps the file small
BEATS_PER_MINUTE = 104
BEATS_PER_BAR = 4
BARS = 10
TAIL_SECONDS = 1.5
SECONDS_PER_BEAT = 60 / BEATS_PER_MINUTE
SECONDS = BARS * BEATS_PER_BAR * SECONDS_PER_BEAT + TAIL_SECONDS
CHORDS = (
    (38, "m"),
    (34, "M"),
    (41, "M"),
    (36, "M"),
)  # D minor, B flat, F, C: root of the bass, minor or major
MELODY = (  # pitch and beats, over four bars; 0 is a rest
    *((77, 1.5), (76, 0.5), (74, 1), (69, 1)),
    *((74, 1.5), (77, 0.5), (81, 2)),
    *((84, 1), (81, 0.5), (79, 0.5), (77, 1), (79, 1)),
    *((76, 2.5), (0, 0.5), (72, 0.5), (76, 0.5)),
)
KICK, SNARE, HAT = 36, 38, 42


@dataclass(frozen=True)
class DemoPart:
    """Notes for one preset: (pitch, velocity, start, end), in beats."""

    bank: int
    program: int
    gain: float
    notes: Sequence[tuple[int, int, float, float]]


def parts() -> tuple[DemoPart, ...]:
    """Return the piece: vibraphone throughout, finger bass from bar 3, flute from bar 5, drums from bar 7."""
    return (
        DemoPart(MELODIC_BANK, 11, 0.8, tuple(_arpeggio(0, BARS))),
        DemoPart(MELODIC_BANK, 33, 0.9, tuple(_bass(2, BARS))),
        DemoPart(MELODIC_BANK, 73, 0.8, tuple(_melody(4, BARS))),
        DemoPart(DRUM_BANK, 0, 0.6, tuple(_beat(6, BARS))),
    )


def rendered() -> Floats:
    """Play the piece: stereo `[samples, 2]`, each part at its gain, the loudest sample at −3 dBFS."""
    player = SoundFontPlayer(default_soundfont(), SAMPLE_RATE)
    total = np.zeros((round(SECONDS * SAMPLE_RATE), 2), np.float32)
    for part in parts():
        notes = [
            Note(pitch, velocity, start * SECONDS_PER_BEAT, end * SECONDS_PER_BEAT)
            for pitch, velocity, start, end in part.notes
        ]
        samples = player.render(part.bank, part.program, notes, SECONDS)
        total += np.float32(part.gain / np.abs(samples).max()) * samples
    fade = np.minimum(1.0, np.arange(len(total))[::-1] / (TAIL_SECONDS * SAMPLE_RATE))
    peak = 10 ** (PREVIEW_PEAK_DBFS / 20) / np.abs(total).max()
    return np.asarray(peak * total * fade[:, None], np.float32)


def _chord(bar: int) -> tuple[int, int]:
    """Return the root of a bar in the bass, and its third in semitones."""
    root, kind = CHORDS[bar % len(CHORDS)]
    return root, 3 if kind == "m" else 4


def _arpeggio(first: int, end: int) -> Iterator[tuple[int, int, float, float]]:
    for bar in range(first, end):
        root, third = _chord(bar)
        tones = (12, 19, 24, 24 + third, 31, 24 + third, 24, 19)
        for step, up in enumerate(tones):
            at = bar * BEATS_PER_BAR + step / 2
            yield root + up, 92 if step % 4 == 0 else 76, at, at + 1


def _bass(first: int, end: int) -> Iterator[tuple[int, int, float, float]]:
    for bar in range(first, end):
        root, _ = _chord(bar)
        for at, up, beats in ((0, 0, 1.4), (1.5, 0, 0.4), (2, 7, 0.9), (3, 12, 0.5), (3.5, 7, 0.4)):
            yield root + up, 104, bar * BEATS_PER_BAR + at, bar * BEATS_PER_BAR + at + beats


def _melody(first: int, end: int) -> Iterator[tuple[int, int, float, float]]:
    at = float(first * BEATS_PER_BAR)
    while at < end * BEATS_PER_BAR:
        for pitch, beats in MELODY:
            if pitch and at < end * BEATS_PER_BAR:
                yield pitch, 96, at, at + 0.95 * beats
            at += beats


def _beat(first: int, end: int) -> Iterator[tuple[int, int, float, float]]:
    for beat in range(first * BEATS_PER_BAR, end * BEATS_PER_BAR):
        yield (SNARE if beat % 2 else KICK), 108, beat, beat + 0.4
        for half in (0.0, 0.5):
            yield HAT, 84 if half else 64, beat + half, beat + half + 0.2
        if beat % BEATS_PER_BAR == 2:
            yield KICK, 96, beat + 0.5, beat + 0.9


if __name__ == "__main__":
    write_mp3(DEMO_FILE, rendered(), SAMPLE_RATE)
