"""Rendering five-second clips and mixtures on one core: enrollment of the default library, and both kinds of Nlakh.

Section 4 of Kim et al. 2022. Processor time includes decoding, once for each note of an open instrument, and no writing.
`plain_rendering` measures a plain implementation of the same method.
"""

from pathlib import Path

from benchmarks import plain_rendering
from benchmarks.data_lab import DataLab
from benchmarks.figures import Measurement, Target
from benchmarks.lab import Lab
from benchmarks.one_core import one_core
from benchmarks.renderers import OpenRenderer
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontSource
from models.front_end import FrontEndConfig
from training.nlakh.instrument_selection import InstrumentCollection
from training.nlakh.spec import BLOCK_MIXTURES

PRESET_CLIPS, NOTE_CLIPS, GIVEN_CLIPS = 8, 250, 24  # per instrument
NOTE_INSTRUMENTS, GIVEN_INSTRUMENTS = 11, 64
FROM_SOUNDFONT, FROM_NOTES, MIXTURES = (Target(speed, "at least") for speed in (100, 300, 40))


def measure(lab: Lab) -> list[Measurement]:
    data, preset = lab.data, default_soundfont()
    figures = [
        _enrollment(),
        _single("a SoundFont", preset, data, PRESET_CLIPS, None, FROM_SOUNDFONT),
        _single("NSynth's form", data.nsynth(), data, NOTE_CLIPS, NOTE_INSTRUMENTS, FROM_NOTES),
        _single("a note bank", data.note_bank(), data, NOTE_CLIPS, NOTE_INSTRUMENTS, FROM_NOTES),
        _multi("a SoundFont", preset, data),
        _multi("NSynth's form", data.nsynth_large(), data),
        _multi("a note bank", data.note_bank(), data),
    ]
    if notes := data.given_notes:
        figures += [
            _single("--notes", notes, data, GIVEN_CLIPS, GIVEN_INSTRUMENTS, FROM_NOTES),
            _multi("--notes", notes, data),
        ]
    return figures + plain_rendering.measure(data)


def _enrollment() -> Measurement:
    front_end = FrontEndConfig()
    source = SoundFontSource(default_soundfont(), banks={0})
    source.player(front_end.sample_rate)  # load the file before the clock starts
    with one_core() as watch:
        clips = sum(len(item.clips(front_end.sample_rate, front_end.clip_samples)) for item in source)
    detail = f"{clips} clips, one core"
    return Measurement(
        "rendering, enrollment", clips / watch.seconds, "clips/s", Target(100, "at least"), detail
    )


def _single(
    name: str, notes: Path, data: DataLab, clips: int, most: int | None, target: Target
) -> Measurement:
    renderer = OpenRenderer("single", InstrumentCollection((notes,)), data.midi(), clips, most)
    with one_core() as watch:
        count = sum(1 for _ in renderer.items())
    detail = f"{clips} clips of {len(renderer.plan.instruments)} instruments, {data.midi_name}, one core"
    return Measurement(f"Nlakh-single from {name}", count / watch.seconds, "clips/s", target, detail)


def _multi(name: str, notes: Path, data: DataLab) -> Measurement:
    renderer = OpenRenderer("multi", InstrumentCollection((notes,)), data.midi(), BLOCK_MIXTURES)
    with one_core() as watch:
        parts = [len(item.stems) for item in renderer.items()]
    detail = (
        f"{len(parts)} of {sum(parts) / len(parts):.1f} stems, {len(renderer.plan.instruments)} instruments, "
        f"{data.midi_name}, one core"
    )
    return Measurement(f"Nlakh-multi from {name}", len(parts) / watch.seconds, "mixtures/s", MIXTURES, detail)
