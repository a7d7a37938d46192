"""SoundFonts as a source: one instrument per preset, rendered with TinySoundFont.

Enrollment plays the fixed phrases of `base`; a preset whose range leaves a phrase silent simply has fewer clips.
"""

from collections.abc import Collection, Iterator, Sequence
from copy import copy
from pathlib import Path

import numpy as np
from tinysoundfont._tinysoundfont import OutputMode, SoundFont

from index.families import family_of_name, family_of_program
from index.sources.base import Floats, Note, enrollment_phrases, finish_preview, is_silent
from index.sources.preview_phrases import preview_phrases
from index.sources.soundfont_file import Preset, read_soundfont
from index.sources.soundfont_unpack import unpack
from models.errors import SourceError

DRUM_BANK = 128
PREVIEW_SAMPLE_RATE = 44_100
SUFFIXES = (".sf2", ".sf3")

_GAIN_DB = 0.0
_GENERAL_MIDI_PRESETS = 100  # a bank 0 with this many of the 128 programs follows General MIDI


class SoundFontPlayer:
    """Renders presets of one SoundFont at one sample rate. Safe to share between threads, which take turns."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        """Raises SourceError for a file that is not a whole SoundFont."""
        font = read_soundfont(path)
        self.presets = list(font.presets)
        self.sample_rate = sample_rate
        try:
            self._samples = SoundFont(unpack(font) if font.is_compressed else str(path))
        except RuntimeError as error:
            raise SourceError(f"{path.name} cannot be loaded: {error}", value=path.name) from error

    def at(self, sample_rate: int) -> "SoundFontPlayer":
        """A player of the same SoundFont at another rate, which shares the loaded samples."""
        twin = copy(self)
        twin.sample_rate = sample_rate
        return twin

    def play(self, bank: int, program: int, notes: Sequence[Note], seconds: float) -> Floats:
        """Mono samples `[seconds · sample_rate]`, the mean of both channels of `render`."""
        stereo = self.render(bank, program, notes, seconds)
        return (stereo[:, 0] + stereo[:, 1]) * np.float32(0.5)

    def render(self, bank: int, program: int, notes: Sequence[Note], seconds: float) -> Floats:
        """Stereo samples `[seconds · sample_rate, 2]`; nothing of an earlier call is heard in it.

        Raises SourceError if the SoundFont has no such preset, or its numbers make the synthesiser run away.
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
        """(sample, pitch, velocity) in time order, velocity 0 for a key let go; keys are let go before others go down."""
        events = []
        for note in notes:
            start = round(note.start_seconds * self.sample_rate)
            end = max(start + 1, round(note.end_seconds * self.sample_rate))
            events += [(start, note.pitch, max(1, note.velocity)), (end, note.pitch, 0)]
        return sorted(
            (event for event in events if event[0] < total), key=lambda event: (event[0], event[2] > 0)
        )


def _generate(voices: SoundFont, output: Floats) -> None:
    """Fill `output [samples, 2]` with what sounds next."""
    if len(output):
        voices.render(output.data.cast("B"))


class SoundFontInstrument:
    """One preset of a SoundFont."""

    faults: tuple[tuple[str, str], ...] = ()

    def __init__(self, font: "SoundFontSource", preset: Preset, family: str | None) -> None:
        self._font = font
        self._preset = preset
        self.name = preset.name
        self.family = family
        self.source = f"{font.path.name}#{preset.bank}:{preset.program}"

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """The enrollment phrases that sound, `[1…8, clip_samples]`. Raises SourceError if none does."""
        player, seconds = self._font.player(sample_rate), clip_samples / sample_rate
        rendered = [
            player.play(self._preset.bank, self._preset.program, phrase, seconds)
            for phrase in enrollment_phrases(seconds)
        ]
        sounding = [clip for clip in rendered if not is_silent(clip)]
        if not sounding:
            raise SourceError(f"{self.name} ({self.source}) is silent in every register", value=self.source)
        return np.stack(sounding)

    def preview(self) -> tuple[Floats, int]:
        """Three to four seconds of stereo `[n, 2]` at 44.1 kHz: a phrase in a register where the preset sounds."""
        player = self._font.player(PREVIEW_SAMPLE_RATE)
        for notes, seconds in preview_phrases(self.name, self.family):
            samples = player.render(self._preset.bank, self._preset.program, notes, seconds)
            if not is_silent(samples):
                return finish_preview(samples, PREVIEW_SAMPLE_RATE), PREVIEW_SAMPLE_RATE
        raise SourceError(f"{self.name} ({self.source}) is silent in every register", value=self.source)


def follows_general_midi(presets: Sequence[Preset]) -> bool:
    """Whether bank 0 is full enough to be a General MIDI set."""
    return sum(preset.bank == 0 for preset in presets) >= _GENERAL_MIDI_PRESETS


def family_of_preset(preset: Preset, general_midi: bool) -> str | None:
    """Bank 128 is drums; bank 0 of a General MIDI set goes by program; everything else by the preset's name.

    Variation banks and other makers' sets are ordered as they please.
    """
    if preset.bank == DRUM_BANK:
        return "drum"
    if preset.bank == 0 and general_midi:
        return family_of_program(preset.program)
    return family_of_name(preset.name)


class SoundFontSource:
    """The presets of a SoundFont, all of them or those of some banks, ordered by bank and program."""

    def __init__(self, path: Path, banks: Collection[int] | None = None) -> None:
        """Raises SourceError if the file is damaged or holds no preset in `banks`."""
        self.path = path
        self.name = path.stem
        presets = read_soundfont(path).presets
        self._general_midi = follows_general_midi(presets)
        self._presets = [preset for preset in presets if banks is None or preset.bank in banks]
        self._player: SoundFontPlayer | None = None
        if not self._presets:
            raise SourceError(f"{path.name} has no preset in banks {sorted(banks or ())}", value=path.name)

    def __len__(self) -> int:
        return len(self._presets)

    def __iter__(self) -> Iterator[SoundFontInstrument]:
        for preset in self._presets:
            yield SoundFontInstrument(self, preset, family_of_preset(preset, self._general_midi))

    def player(self, sample_rate: int) -> SoundFontPlayer:
        """A player at this rate; the file is loaded once for all."""
        if self._player is None:
            self._player = SoundFontPlayer(self.path, sample_rate)
        return self._player.at(sample_rate)
