"""Compression and saturation: the effects that change how loud is related to quiet.

Both work on whole batches without a loop over time: the compressor's ballistics are running maxima and minima.
"""

import torch
from torch import Tensor
from torch.nn import functional

FRAME_SAMPLES = 64  # 4 ms at 16 kHz: the compressor's gain has one value for each, and lines between them
STEP_DB = 10.0  # attack and release are the times to follow a step of this size
FASTEST_FRAMES = 0.5  # no attack or release is faster
QUIET = 1e-6  # -120 dB, the least level that is measured


def _rising_limited(level_db: Tensor, db_per_frame: Tensor) -> Tensor:
    """Follow falls at once and rises by at most `db_per_frame [batch, 1]`: `[batch, frames]`."""
    slope = db_per_frame * torch.arange(level_db.shape[1], device=level_db.device)
    return (level_db - slope).cummin(dim=1).values + slope


def gain_reduction_db(
    peak_db: Tensor, threshold_db: Tensor, ratio: Tensor, attack_frames: Tensor, release_frames: Tensor
) -> Tensor:
    """How far the compressor turns down at each frame of peak level `peak_db [batch, frames]`; the rest `[batch]`."""
    over_db = (peak_db - threshold_db[:, None]).clamp(min=0)
    wanted = over_db * (1 - 1 / ratio)[:, None]
    held = -_rising_limited(-wanted, (STEP_DB / release_frames)[:, None])
    return _rising_limited(held, (STEP_DB / attack_frames)[:, None])


def compress(
    wave: Tensor,
    threshold_db: Tensor,
    ratio: Tensor,
    attack_seconds: Tensor,
    release_seconds: Tensor,
    makeup_db: Tensor,
    sample_rate: int,
) -> Tensor:
    """Turn down what is loud: peaks x dB above the threshold come out x / `ratio` above it, then all rises by `makeup_db`.

    Levels are peaks of four milliseconds in dB of full scale (1.0). The gain follows a step of 10 dB in `attack_seconds`
    downwards and `release_seconds` upwards, on straight lines in dB. All parameters are `[batch]`; ratio 1 does nothing.
    """
    batch, samples = wave.shape
    padded = functional.pad(wave, (0, -samples % FRAME_SAMPLES))
    peaks = padded.view(batch, -1, FRAME_SAMPLES).abs().amax(dim=2)  # [batch, frames]
    frames_per_second = sample_rate / FRAME_SAMPLES
    reduction_db = gain_reduction_db(
        20 * peaks.clamp(min=QUIET).log10(),
        threshold_db,
        ratio,
        (attack_seconds * frames_per_second).clamp(min=FASTEST_FRAMES),
        (release_seconds * frames_per_second).clamp(min=FASTEST_FRAMES),
    )
    gain = 10 ** ((makeup_db[:, None] - reduction_db) / 20)
    after = torch.cat([gain[:, 1:], gain[:, -1:]], dim=1)
    along = torch.arange(FRAME_SAMPLES, device=wave.device) / FRAME_SAMPLES
    lines = torch.lerp(gain[..., None], after[..., None], along)  # [batch, frames, FRAME_SAMPLES]
    return wave * lines.flatten(1)[:, :samples]


def saturate(wave: Tensor, drive_db: Tensor) -> Tensor:
    """Bend the wave: what is quiet gains `drive_db [batch]` on the clip's peak; the clip's RMS stays. 0 dB does nothing."""
    peak = wave.abs().amax(dim=1, keepdim=True).clamp(min=QUIET)
    more = 10 ** (drive_db[:, None] / 10) - 1
    bent = (wave / peak).square_().mul_(more).add_(1).rsqrt_().mul_(wave)
    before, after = (torch.linalg.vector_norm(each, dim=1, keepdim=True) for each in (wave, bent))
    return bent.mul_(torch.where(after > 0, before / after, 1.0))
