"""Compression, limiting and saturation: the effects that change the dynamics.

All work on whole batches without a loop over time: attack and release are running minima.
"""

import torch
from torch import Tensor
from torch.nn import functional

FRAME_SAMPLES = 64  # 4 ms at 16 kHz: the compressor has one gain per frame and interpolates between frames
STEP_DB = 10.0  # attack and release are the times that a step of this size takes
FASTEST_FRAMES = 0.5  # lower limit of attack and release
QUIET = 1e-6  # -120 dB, the lowest level that is measured


def _rising_limited(level_db: Tensor, db_per_frame: Tensor) -> Tensor:
    """Follow `level_db [batch, frames]`: falls at once, rises by at most `db_per_frame [batch, 1]`."""
    slope = db_per_frame * torch.arange(level_db.shape[1], device=level_db.device)
    return (level_db - slope).cummin(dim=1).values + slope


def gain_reduction_db(
    peak_db: Tensor, threshold_db: Tensor, ratio: Tensor, attack_frames: Tensor, release_frames: Tensor
) -> Tensor:
    """Return the compressor's gain reduction for frames of peak level `peak_db [batch, frames]`; the rest is `[batch]`."""
    over_db = (peak_db - threshold_db[:, None]).clamp(min=0)
    wanted = over_db * (1 - 1 / ratio)[:, None]
    held = -_rising_limited(-wanted, (STEP_DB / release_frames)[:, None])
    return _rising_limited(held, (STEP_DB / attack_frames)[:, None])


def _peaks_db(wave: Tensor) -> Tensor:
    """Return the peak level of each frame of `wave [batch, samples]`: `[batch, frames]`; the last one may be shorter."""
    padded = functional.pad(wave, (0, -wave.shape[1] % FRAME_SAMPLES))
    peaks = padded.view(len(wave), -1, FRAME_SAMPLES).abs().amax(dim=2)
    return 20 * peaks.clamp(min=QUIET).log10()


def _curve(gain_db: Tensor, samples: int) -> Tensor:
    """Return the gain of every sample `[batch, samples]`: it moves linearly from each frame's `gain_db` to the next one's."""
    gain = 10 ** (gain_db / 20)
    after = torch.cat([gain[:, 1:], gain[:, -1:]], dim=1)
    along = torch.arange(FRAME_SAMPLES, device=gain.device) / FRAME_SAMPLES
    lines = torch.lerp(gain[..., None], after[..., None], along)  # [batch, frames, FRAME_SAMPLES]
    return lines.flatten(1)[:, :samples]


def compressor_gain(
    wave: Tensor,
    threshold_db: Tensor,
    ratio: Tensor,
    attack_seconds: Tensor,
    release_seconds: Tensor,
    makeup_db: Tensor,
    sample_rate: int,
) -> Tensor:
    """Return the gain with which `compress` multiplies each sample, `[batch, samples]`; the parameters are its own."""
    frames_per_second = sample_rate / FRAME_SAMPLES
    reduction_db = gain_reduction_db(
        _peaks_db(wave),
        threshold_db,
        ratio,
        (attack_seconds * frames_per_second).clamp(min=FASTEST_FRAMES),
        (release_seconds * frames_per_second).clamp(min=FASTEST_FRAMES),
    )
    return _curve(makeup_db[:, None] - reduction_db, wave.shape[1])


def compress(
    wave: Tensor,
    threshold_db: Tensor,
    ratio: Tensor,
    attack_seconds: Tensor,
    release_seconds: Tensor,
    makeup_db: Tensor,
    sample_rate: int,
) -> Tensor:
    """Compress: peaks x dB above the threshold come out x / `ratio` dB above it; then all is raised by `makeup_db`.

    Levels are peaks over four milliseconds in dB of full scale (1.0). The gain falls by 10 dB in `attack_seconds` and rises by
    10 dB in `release_seconds`, linearly in dB. All parameters are `[batch]`; ratio 1 changes nothing.
    """
    return wave * compressor_gain(
        wave, threshold_db, ratio, attack_seconds, release_seconds, makeup_db, sample_rate
    )


def limiter_gain(
    wave: Tensor, ceiling_db: Tensor, attack_seconds: Tensor, release_seconds: Tensor, sample_rate: int
) -> Tensor:
    """Return the gain `[batch, samples]` under which no sample of `wave` exceeds `ceiling_db [batch]`; 1 where none does.

    The limiter looks ahead: the gain is down in time for each peak. It moves by 10 dB in `attack_seconds` and in
    `release_seconds`, `[batch]` each, linearly in dB.
    """
    allowed_db = (ceiling_db[:, None] - _peaks_db(wave)).clamp(max=0)
    before_db = torch.cat([allowed_db[:, :1], allowed_db[:, :-1]], dim=1)
    edge_db = torch.minimum(allowed_db, before_db)  # where two frames meet, the gain suits both
    frames_per_second = sample_rate / FRAME_SAMPLES
    release, attack = (
        STEP_DB / (seconds * frames_per_second).clamp(min=FASTEST_FRAMES)[:, None]
        for seconds in (release_seconds, attack_seconds)
    )
    gain_db = _rising_limited(edge_db, release)
    gain_db = _rising_limited(gain_db.flip(1), attack).flip(1)
    return _curve(torch.minimum(gain_db, edge_db), wave.shape[1])  # rounding must not lift it


def saturate(wave: Tensor, drive_db: Tensor) -> Tensor:
    """Saturate: quiet samples gain `drive_db [batch]` relative to the clip's peak; its RMS stays. 0 dB changes nothing."""
    peak = wave.abs().amax(dim=1, keepdim=True).clamp(min=QUIET)
    more = 10 ** (drive_db[:, None] / 10) - 1
    bent = (wave / peak).square_().mul_(more).add_(1).rsqrt_().mul_(wave)
    before, after = (torch.linalg.vector_norm(each, dim=1, keepdim=True) for each in (wave, bent))
    return bent.mul_(torch.where(after > 0, before / after, 1.0))
