"""The front end: equal to torchaudio's if that imports, level-invariant, finite on silence, one fixed length."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.front_end import FrontEnd, FrontEndConfig, LogMel, mel_filters

CONFIG = FrontEndConfig()


def noise(samples: int = CONFIG.clip_samples, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, samples, generator=torch.Generator().manual_seed(seed)) * 0.1


def slow_mel_power(wave: np.ndarray, config: FrontEndConfig) -> np.ndarray:
    """Reference: one frame and one filter at a time, in float64, from the definition."""
    padded = np.pad(wave.astype(np.float64), config.n_fft // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.n_fft) / config.n_fft)
    corner_mel = np.linspace(
        2595 * math.log10(1 + config.min_hz / 700),
        2595 * math.log10(1 + config.max_hz / 700),
        config.n_mels + 2,
    )
    corner_hz = 700 * (10 ** (corner_mel / 2595) - 1)
    bin_hz = np.arange(config.n_fft // 2 + 1) * config.sample_rate / config.n_fft
    out = np.zeros((config.n_mels, 1 + len(wave) // config.hop_length))
    for frame in range(out.shape[1]):
        start = frame * config.hop_length
        power = np.abs(np.fft.rfft(window * padded[start : start + config.n_fft])) ** 2
        for mel in range(config.n_mels):
            out[mel, frame] = np.interp(bin_hz, corner_hz[mel : mel + 3], [0, 1, 0], 0, 0) @ power
    return out


def test_mel_power_equals_its_definition() -> None:
    wave = noise(8_000)
    got = LogMel(CONFIG).power(wave)[0].double().numpy()
    assert np.allclose(got, slow_mel_power(wave[0].numpy(), CONFIG), rtol=1e-3, atol=1e-5)


def test_log_mel_equals_torchaudio() -> None:
    try:
        import torchaudio
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio does not import here: {error}")
    reference = torchaudio.transforms.MelSpectrogram(
        CONFIG.sample_rate, CONFIG.n_fft, hop_length=CONFIG.hop_length, n_mels=CONFIG.n_mels
    )
    wave = noise()
    expected = torch.log(reference(wave) + CONFIG.log_floor)
    assert torch.allclose(LogMel(CONFIG)(wave), expected, atol=1e-4)


def test_a_sine_lights_its_own_band() -> None:
    seconds = torch.arange(CONFIG.clip_samples) / CONFIG.sample_rate
    for hz in (200.0, 1_000.0, 5_000.0):
        power = LogMel(CONFIG).power(torch.sin(2 * math.pi * hz * seconds)[None])[0].mean(dim=1)
        nearest_bin = round(hz * CONFIG.n_fft / CONFIG.sample_rate)
        assert mel_filters(CONFIG)[nearest_bin, power.argmax()] > 0


@settings(max_examples=20, deadline=None)
@given(gain_db=st.floats(-70, 40))
def test_gain_does_not_matter(gain_db: float) -> None:
    front_end, wave = FrontEnd(CONFIG), noise()
    assert torch.allclose(front_end(wave), front_end(wave * 10 ** (gain_db / 20)), atol=1e-2)


@pytest.mark.parametrize("samples", [1, 700, 80_000, 200_000])
def test_any_length_gives_one_shape_and_finite_values(samples: int) -> None:
    image = FrontEnd(CONFIG)(noise(samples))
    assert image.shape == (2, 1, CONFIG.n_mels, CONFIG.num_frames)
    assert image.isfinite().all()


def test_silence_is_finite_and_flat() -> None:
    image = FrontEnd(CONFIG)(torch.zeros(1, CONFIG.clip_samples))
    assert image.isfinite().all()
    assert image.std() == 0


def test_a_spectrogram_is_refused() -> None:
    with pytest.raises(ValueError, match="waveform"):
        FrontEnd(CONFIG)(torch.zeros(1, 1, 128, 157))


@pytest.mark.parametrize("wrong", [{"max_hz": 9_000.0}, {"hop_length": 0}, {"min_hz": -1.0}])
def test_impossible_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"hop_length|Hz"):
        FrontEndConfig(**wrong)  # type: ignore[arg-type]
