"""Rendering five-second clips on one core: the presets that a library is enrolled from, and training's clips.

Enrollment renders the fixed phrases of `index.sources`; training renders composed phrases and single notes.
"""

import time
from itertools import product

from benchmarks.figures import Figure, Target
from benchmarks.lab import Lab
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontSource
from models.front_end import FrontEndConfig
from training.instruments import PresetBank
from training.render import Renderer
from training.render_plan import Plan, Sources

CLIPS_PER_PRESET = 8


def measure(lab: Lab) -> list[Figure]:
    return [_enrollment(), _training()]


def _enrollment() -> Figure:
    front_end = FrontEndConfig()
    source = SoundFontSource(default_soundfont(), banks={0})
    source.player(front_end.sample_rate)  # loading the file is not rendering
    begun = time.perf_counter()
    clips = sum(len(instrument.clips(front_end.sample_rate, front_end.clip_samples)) for instrument in source)
    speed = clips / (time.perf_counter() - begun)
    return Figure(
        "rendering, enrollment", speed, "clips/s", Target(100, "at least"), f"{clips} clips, one core"
    )


def _training() -> Figure:
    front_end = FrontEndConfig()
    plan = Plan(
        split="benchmark",
        seed=1,
        clips=CLIPS_PER_PRESET,
        sample_rate=front_end.sample_rate,
        clip_samples=front_end.clip_samples,
        phrases="composed",
        held_midi=False,
        instruments=(),
    )
    renderer = Renderer(plan, Sources(notes=None, soundfonts=(default_soundfont(),), midi=None, cache=None))
    keys = PresetBank(default_soundfont(), front_end.sample_rate).ids
    instruments = [renderer.load(key) for key in keys]
    begun = time.perf_counter()
    for instrument, number in product(instruments, range(plan.clips)):
        renderer.clip(instrument, number)
    clips = len(instruments) * plan.clips
    speed = clips / (time.perf_counter() - begun)
    return Figure(
        "rendering, training", speed, "clips/s", Target(100, "at least"), f"{clips} clips, one core"
    )
