"""SoundFonts as a source: one instrument per preset, rendered with TinySoundFont.

Enrollment plays the phrases of `base`, moved into the keys that the preset answers.
"""

from collections.abc import Collection, Iterator, Sequence
from copy import copy
from pathlib import Path

import numpy as np
from tinysoundfont._tinysoundfont import OutputMode, SoundFont

from index.families import family_of_name, family_of_program
from index.sources.base import Floats, Note
from index.sources.playing import enrollment_clips, phrase_preview
from index.sources.soundfont_file import Preset, read_soundfont
from index.sources.soundfont_keys import key_ranges
from index.sources.soundfont_unpack import unpack
from models.errors import SourceError

DRUM_BANK = 128
SUFFIXES = (".sf2", ".sf3")

_GAIN_DB = 0.0
_GENERAL_MIDI_PRESETS = 100  # of 128; a bank 0 with this many follows General MIDI


class SoundFontPlayer:
    """Renders presets of one SoundFont at one sample rate. Thread-safe; threads take turns."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        """Raises SourceError for a file that is not a complete SoundFont."""
        font = read_soundfont(path)
        self.presets = list(font.presets)
        self.sample_rate = sample_rate
        try:
            self._samples = SoundFont(unpack(font) if font.is_compressed else str(path))
        except RuntimeError as error:
            raise SourceError(f"{path.name} cannot be loaded: {error}", value=path.name) from error

    def at(self, sample_rate: int) -> "SoundFontPlayer":
        """Return a player at another rate that shares the loaded samples."""
        twin = copy(self)
        twin.sample_rate = sample_rate
        return twin

    def play(self, bank: int, program: int, notes: Sequence[Note], seconds: float) -> Floats:
        """Render mono samples `[seconds · sample_rate]`, the mean of both channels of `render`."""
        stereo = self.render(bank, program, notes, seconds)
        return (stereo[:, 0] + stereo[:, 1]) * np.float32(0.5)

    def render(self, bank: int, program: int, notes: Sequence[Note], seconds: float) -> Floats:
        """Render stereo samples `[seconds · sample_rate, 2]`, independent of earlier calls.

        Raises SourceError if the SoundFont has no such preset or the output is not finite.
        """
        preset = self._samples.get_preset_index(bank, program)
        if preset < 0:
            raise SourceError(f"the SoundFont has no preset {bank}:{program}", value=f"{bank}:{program}")
        voices = SoundFont(self._samples)  # the same samples, no voices yet
        voices.set_output(OutputMode.StereoInterleaved, self.sample_rate, _GAIN_DB)
        total = round(seconds * self.sample_rate)
        output = np.zeros((total, 2), np.float32)
        position = 0
        for at, pitch, velocity in self._events(notes, total):
            _generate(voices, output[position:at])
            position = at
            if velocity:
                voices.note_on(preset, pitch, velocity / 127.0)
            else:
                voices.note_off(preset, pitch)
        _generate(voices, output[position:])
        if not np.isfinite(output).all():
            raise SourceError(
                f"preset {bank}:{program} renders to NaN or infinity", value=f"{bank}:{program}"
            )
        return output

    def _events(self, notes: Sequence[Note], total: int) -> list[tuple[int, int, int]]:
        """Return (sample, pitch, velocity) in time order; velocity 0 releases a key, before other keys are pressed."""
        events = []
        for note in notes:
            start = round(note.start_seconds * self.sample_rate)
            end = max(start + 1, round(note.end_seconds * self.sample_rate))
            events += [(start, note.pitch, max(1, note.velocity)), (end, note.pitch, 0)]
        return sorted(
            (event for event in events if event[0] < total), key=lambda event: (event[0], event[2] > 0)
        )


def _generate(voices: SoundFont, output: Floats) -> None:
    """Render the next samples into `output [samples, 2]`."""
    if len(output):
        voices.render(output.data.cast("B"))


class SoundFontInstrument:
    """One preset of a SoundFont."""

    faults: tuple[tuple[str, str], ...] = ()

    def __init__(self, font: "SoundFontSource", key: str, preset: Preset, keys: tuple[int, int]) -> None:
        self._font = font
        self._preset = preset
        self.id = key
        self.name = preset.name
        self.family = family_of_preset(preset, font.general_midi)
        self.source = f"{font.path.name}#{preset.bank}:{preset.program}"
        self.licence = font.licence
        self.playable_range = keys
        self.is_drum_kit = preset.bank == DRUM_BANK

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[seconds · sample_rate]`, the mean of both channels."""
        player = self._font.player(sample_rate)
        return player.play(self._preset.bank, self._preset.program, notes, seconds)

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Render the enrollment phrases that sound: `[1…8, clip_samples]`. Raises SourceError if none does."""
        return enrollment_clips(self, sample_rate, clip_samples)

    def preview(self) -> tuple[Floats, int]:
        """Render three to four seconds of stereo `[n, 2]` at 44.1 kHz, in a register where the preset sounds."""
        return phrase_preview(self, self._render)

    def _render(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        player = self._font.player(sample_rate)
        return player.render(self._preset.bank, self._preset.program, notes, seconds)


def follows_general_midi(presets: Sequence[Preset]) -> bool:
    """Return whether bank 0 has enough presets for a General MIDI set."""
    return sum(preset.bank == 0 for preset in presets) >= _GENERAL_MIDI_PRESETS


def family_of_preset(preset: Preset, general_midi: bool) -> str | None:
    """Return the family: drum for bank 128, by program for bank 0 of a General MIDI set, else by the preset's name.

    Variation banks and other sets have no common order.
    """
    if preset.bank == DRUM_BANK:
        return "drum"
    if preset.bank == 0 and general_midi:
        return family_of_program(preset.program)
    return family_of_name(preset.name)


class SoundFontSource:
    """The presets of a SoundFont, of all banks or some, ordered by bank and program."""

    def __init__(self, path: Path, banks: Collection[int] | None = None) -> None:
        """Raises SourceError if the file is damaged or has no preset in `banks`."""
        font = read_soundfont(path)
        self.path = path
        self.name = path.stem
        self.licence = font.copyright
        self.general_midi = follows_general_midi(font.presets)
        presets = [preset for preset in font.presets if banks is None or preset.bank in banks]
        if not presets:
            raise SourceError(f"{path.name} has no preset in banks {sorted(banks or ())}", value=path.name)
        keys = key_ranges(font)
        self._presets = {self._id(preset): (preset, keys[preset]) for preset in presets if preset in keys}
        self.faults = tuple(
            (f"{path.name}#{preset.bank}:{preset.program} {preset.name}", "no key plays a sample")
            for preset in presets
            if preset not in keys
        )
        if not self._presets:
            raise SourceError(f"no preset of {path.name} plays a sample on any key", value=path.name)
        self._player: SoundFontPlayer | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def __len__(self) -> int:
        return len(self._presets)

    def __iter__(self) -> Iterator[SoundFontInstrument]:
        return map(self.get, self._presets)

    def get(self, key: str) -> SoundFontInstrument:
        """Return the preset of an id, `<file>_<bank>_<program>`. Raises SourceError if there is none."""
        if key not in self._presets:
            raise SourceError(f"no preset {key} in {self.path.name}", value=key)
        return SoundFontInstrument(self, key, *self._presets[key])

    def _id(self, preset: Preset) -> str:
        return f"{self.path.stem.lower()}_{preset.bank:03d}_{preset.program:03d}"

    def player(self, sample_rate: int) -> SoundFontPlayer:
        """Return a player at this rate; the file is loaded once for all rates."""
        if self._player is None:
            self._player = SoundFontPlayer(self.path, sample_rate)
        return self._player if self._player.sample_rate == sample_rate else self._player.at(sample_rate)
