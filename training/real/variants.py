"""A new instrument made from another one: its sound at another speed, with a fixed tilt of the spectrum.

Changed speed makes a new speaker in speaker verification (Ko et al. 2015, "Audio augmentation for speech recognition"): the
notes stay, resonances and attacks move. It multiplies the few recorded instruments that can be had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr

from index.sources.base import Floats, Note, PlayableInstrument, SourceInstrument, is_drum_kit, is_playable
from models.errors import SourceError
from training.real.recordings import Excerpted, is_excerpted

TILT_CENTRE_HZ = 1_000.0


@dataclass(frozen=True)
class VariantSpec:
    """How a variant differs: resonances moved by `semitones`, the spectrum tilted by `tilt_db` an octave."""

    semitones: int
    tilt_db: float

    @property
    def mark(self) -> str:
        """The end of the variant's id."""
        return f"{self.semitones:+d}"

    @property
    def speed(self) -> float:
        return float(2.0 ** (self.semitones / 12))


def tilted(samples: Floats, sample_rate: int, tilt_db: float) -> Floats:
    """Tilt the spectrum of `samples [n]` around 1 kHz by `tilt_db` an octave; the level changes."""
    spectrum = np.fft.rfft(samples)
    hertz = np.maximum(np.fft.rfftfreq(len(samples), 1 / sample_rate), 30.0)
    spectrum *= 10.0 ** (tilt_db * np.log2(hertz / TILT_CENTRE_HZ) / 20)
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


class _Variant:
    """What all variants share: identity, preview, and the change of the sound."""

    def __init__(self, instrument: SourceInstrument, spec: VariantSpec) -> None:
        self.id, self.name = instrument.id + spec.mark, f"{instrument.name} ({spec.semitones:+d})"
        self.family, self.source, self.licence = instrument.family, instrument.source, instrument.licence
        self.part: str | None = getattr(instrument, "part", None)
        self._instrument, self._spec = instrument, spec

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        return self._instrument.faults

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """The original's clips, changed: `[n ≥ 1, clip_samples]`. Raises SourceError if there is none."""
        seconds = clip_samples / sample_rate
        longer = self._instrument.clips(sample_rate, round(clip_samples * self._spec.speed))
        return np.stack([self._changed(clip, seconds, sample_rate) for clip in longer])

    def preview(self) -> tuple[Floats, int]:
        """The original's preview at the variant's speed."""
        samples, sample_rate = self._instrument.preview()
        return samples, round(sample_rate * self._spec.speed)

    def _changed(self, samples: Floats, seconds: float, sample_rate: int) -> Floats:
        """Play `samples` faster by the variant's speed, and tilt them: `[seconds · sample_rate]`."""
        faster = soxr.resample(samples, sample_rate * self._spec.speed, sample_rate, "MQ")
        length = round(seconds * sample_rate)
        fitted = np.zeros(length, np.float32)
        fitted[: min(length, len(faster))] = faster[:length]
        return tilted(fitted, sample_rate, self._spec.tilt_db)


class RecordedVariant(_Variant):
    """A variant of recordings: excerpts at another speed."""

    playable_range = None

    def __init__(self, instrument: Excerpted, spec: VariantSpec) -> None:
        super().__init__(instrument, spec)
        self._recording = instrument

    @property
    def longest_seconds(self) -> float:
        """The length of the longest recording at the variant's speed, as its index says."""
        return self._recording.longest_seconds / self._spec.speed

    def excerpt(
        self, generator: np.random.Generator, seconds: float, sample_rate: int, *, after_seconds: float = 0.0
    ) -> Floats:
        """A random excerpt at the variant's speed. Raises SourceError if no recording is usable."""
        speed = self._spec.speed
        longer = self._recording.excerpt(
            generator, seconds * speed, sample_rate, after_seconds=after_seconds * speed
        )
        return self._changed(longer, seconds, sample_rate)


class PlayableVariant(_Variant):
    """A variant of an instrument that plays notes: they keep their pitch, unless it is a drum kit."""

    def __init__(self, instrument: PlayableInstrument, spec: VariantSpec) -> None:
        super().__init__(instrument, spec)
        self._player = instrument
        self.is_drum_kit = is_drum_kit(instrument)
        self._shift = 0 if instrument.family == "drum" else spec.semitones
        low, high = instrument.playable_range
        self.playable_range = max(0, low + self._shift), min(127, high + self._shift)

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[seconds · sample_rate]`. Raises SourceError if nothing of the instrument sounds."""
        speed = self._spec.speed
        moved = [
            replace(
                note,
                pitch=min(max(note.pitch - self._shift, 0), 127),
                start_seconds=note.start_seconds * speed,
                end_seconds=note.end_seconds * speed,
            )
            for note in notes
        ]
        longer = self._player.play(moved, seconds * speed, sample_rate)
        return self._changed(longer, seconds, sample_rate)


def variant(instrument: SourceInstrument, spec: VariantSpec) -> SourceInstrument:
    """The variant of an instrument. Raises SourceError for one that neither plays notes nor can be cut."""
    if is_playable(instrument):
        return PlayableVariant(instrument, spec)
    if is_excerpted(instrument):
        return RecordedVariant(instrument, spec)
    raise SourceError(f"{instrument.id} can have no variant", value=instrument.id)
