"""The network of basic-pitch (Bittner et al. 2022): which of 88 pitches sound, and which begin, 86 times a second.

Two seconds at 22.05 kHz → a constant-Q transform of 309 bins, 36 to the octave; its decibels, scaled to 0…1; eight copies of
it, shifted to the harmonics; small convolutions to contours, notes and onsets. The published network is built anew here, layer
by layer; its weights, those of the transform among them, are converted once by `training/recognition/convert_pitch.py`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recognition.constant_q import halved

SAMPLE_RATE = 22_050
HOP_SAMPLES = 256
WINDOW_SAMPLES, WINDOW_FRAMES = 43_844, 172
NUM_PITCHES, LOWEST_PITCH = 88, 21
BINS_PER_OCTAVE, NUM_OCTAVES, NUM_BINS = 36, 9, 309
FILTER_TAPS = 256
NUM_CONTOURS = 264  # three for each pitch
HARMONIC_SHIFTS = (
    -36,
    0,
    36,
    57,
    72,
    84,
    93,
    101,
)  # bins: half the frequency, the frequency, and its multiples 2 to 7
POWER_FLOOR = 1e-10


class PitchNetwork(nn.Module):
    """Windows of audio → the probabilities that each pitch sounds, and that it begins.

    It has 16,702 parameters, as batch normalisation is folded into the convolutions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transform = _Transform()
        self.gain, self.offset = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
        harmonics = len(HARMONIC_SHIFTS)
        self.contour = nn.Conv2d(harmonics, 8, (3, 39), padding=(1, 19))
        self.contour_out = nn.Conv2d(8, 1, 5, padding=2)
        self.note = nn.Conv2d(1, 32, 7, stride=(1, 3), padding=(3, 2))
        self.note_out = nn.Conv2d(32, 1, (7, 3), padding=(3, 1))
        self.onset = nn.Conv2d(harmonics, 32, 5, stride=(1, 3), padding=(2, 1))
        self.onset_out = nn.Conv2d(33, 1, 3, padding=1)

    def forward(self, wave: Tensor, *, with_onsets: bool = True) -> tuple[Tensor, ...]:
        """`wave [batch, WINDOW_SAMPLES]` → probabilities of notes and, if wanted, onsets, `[batch, WINDOW_FRAMES, 88]` each."""
        with torch.autocast(wave.device.type, enabled=False):  # decibels of quiet bins want all digits
            level = _scaled_decibels(self.transform(wave)) * self.gain + self.offset  # [batch, frames, bins]
        if torch.is_autocast_enabled(wave.device.type):
            level = level.to(torch.get_autocast_dtype(wave.device.type))  # before it is copied eight times
        # [batch, harmonics, frames, NUM_CONTOURS]; so few channels are convolved three times as fast when they lie last
        stack = _harmonics(level).contiguous(memory_format=torch.channels_last)
        contour = torch.sigmoid(self.contour_out(functional.relu(self.contour(stack))))
        note = torch.sigmoid(self.note_out(functional.relu(self.note(contour))))
        if not with_onsets:
            return (note[:, 0],)
        begins = torch.cat([note, functional.relu(self.onset(stack))], dim=1)
        onset = torch.sigmoid(self.onset_out(begins))
        return note[:, 0], onset[:, 0]


class _Transform(nn.Module):
    """The constant-Q transform: one octave of filters for all octaves, the audio being halved from each to the next."""

    filters: Tensor
    low_pass: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.zeros(2 * BINS_PER_OCTAVE, FILTER_TAPS))  # real, then imaginary
        self.register_buffer("low_pass", torch.zeros(FILTER_TAPS))
        self.register_buffer("scale", torch.ones(NUM_BINS))  # the root of each filter's length

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` → magnitudes `[batch, frames, NUM_BINS]`."""
        octaves = []  # the highest first, [batch, frames, BINS_PER_OCTAVE]
        for octave in range(NUM_OCTAVES):
            if octave:
                shorter = wave.shape[-1] // 2
                wave = halved(wave, self.low_pass, FILTER_TAPS // 2 - 1)[:, :shorter]
            padded = functional.pad(wave, (FILTER_TAPS // 2, FILTER_TAPS // 2), mode="reflect")
            frames = padded.unfold(1, FILTER_TAPS, HOP_SAMPLES >> octave)
            octaves.append(torch.hypot(*(frames @ self.filters.T).chunk(2, dim=-1)))
        return torch.cat(octaves[::-1], dim=-1)[..., -NUM_BINS:] * self.scale


def _scaled_decibels(magnitude: Tensor) -> Tensor:
    """Decibels of `magnitude [batch, frames, bins]`, from 0 for the least of a window to 1 for its most; 0 for silence."""
    level = 10 * (magnitude.square() + POWER_FLOOR).log10()
    level = level - level.amin(dim=(1, 2), keepdim=True)
    most = level.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, level / most.clamp(min=1e-30), torch.zeros_like(level))


def _harmonics(level: Tensor) -> Tensor:
    """Copies of `level [batch, frames, bins]` shifted to the harmonics, `[batch, harmonics, frames, NUM_CONTOURS]`."""
    bins = level.shape[-1]
    shifted = [functional.pad(level, (-shift, shift))[..., :bins] for shift in HARMONIC_SHIFTS]
    return torch.stack(shifted, dim=1)[..., :NUM_CONTOURS]
