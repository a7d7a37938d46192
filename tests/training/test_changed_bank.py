"""Changed banks: as many instruments, each another one in the same way for all its clips, drawn by the seed alone."""

from pathlib import Path

import numpy as np

from models.checkpoint import load_checkpoint
from models.encoder_pair import SINGLE_FILE
from tests.training.evaluation.held_out_bank import write_splits
from tests.training.small_bank import SmallBank, in_memory
from training import train_single
from training.bank import Bank
from training.changed_bank import MOST_TILT_DB, SEMITONES, changed, draw_changes

SMALL = SmallBank(num_instruments=8, clip_samples=16_000)
BANK = in_memory(SMALL)


def partials_hz(bank: Bank, row: int) -> list[float]:
    """The two partials of a clip, the lower one first."""
    clip = bank.rows([row])[0].astype(np.float64) * np.hanning(bank.clip_samples)
    spectrum = np.abs(np.fft.rfft(clip))
    hertz = np.fft.rfftfreq(bank.clip_samples, 1 / bank.sample_rate)
    first = int(spectrum.argmax())
    spectrum[max(0, first - 20) : first + 20] = 0
    return sorted([float(hertz[first]), float(hertz[spectrum.argmax()])])


def test_every_instrument_is_another_one_and_no_clip_is_lost() -> None:
    other = changed(BANK)
    assert [one.family for one in other.instruments] == [one.family for one in BANK.instruments]
    assert not {one.id for one in other.instruments} & {one.id for one in BANK.instruments}
    assert (other.num_clips, other.clip_samples) == (BANK.num_clips, BANK.clip_samples)
    assert other.clips_per_instrument == BANK.clips_per_instrument
    assert np.array_equal(other.instrument_of_clip, BANK.instrument_of_clip)


def test_all_clips_of_an_instrument_are_changed_alike() -> None:
    specs, other = draw_changes(len(BANK.instruments), 0), changed(BANK)
    for row in range(BANK.num_clips):
        speed = specs[BANK.instrument_of_clip[row]].speed
        for before, after in zip(partials_hz(BANK, row), partials_hz(other, row), strict=True):
            assert abs(after - before * speed) < 4, row


def test_clips_keep_their_level_and_fill_their_length() -> None:
    other = changed(BANK)
    rows = np.arange(BANK.num_clips)
    before, after = BANK.rows(rows).astype(np.float64), other.rows(rows).astype(np.float64)
    assert np.allclose(np.abs(before).max(axis=1), np.abs(after).max(axis=1), rtol=0.01)
    quarters = np.abs(after.reshape(len(rows), 4, -1)).max(axis=2)
    assert quarters.min() > 0.2 * np.abs(after).max()


def test_silence_stays_silent() -> None:
    silent = changed(in_memory(SMALL, np.zeros((BANK.num_clips, 16_000), np.int16)))
    assert not silent.rows([0, 5]).any()


def test_the_seed_alone_draws_the_changes() -> None:
    rows = [3, 0, 17]
    assert np.array_equal(changed(BANK, 4).rows(rows), changed(BANK, 4).rows(rows))
    assert np.array_equal(changed(BANK, 4).rows(rows)[1], changed(BANK, 4).rows([0])[0])
    assert not np.array_equal(changed(BANK, 4).rows(rows), changed(BANK, 5).rows(rows))


def test_changes_are_as_large_as_they_are_said_to_be() -> None:
    specs = draw_changes(400, 1)
    steps = np.array([spec.semitones for spec in specs])
    assert set(np.abs(steps)) == set(range(SEMITONES[0], SEMITONES[1] + 1))
    assert 0.4 < (steps > 0).mean() < 0.6
    assert max(abs(spec.tilt_db) for spec in specs) <= MOST_TILT_DB


def test_a_run_hears_changed_instruments_beside_the_others(tmp_path: Path) -> None:
    folder, out = tmp_path / "bank", tmp_path / "run"
    write_splits(folder, {"train": (4, 3)}, clip_samples=8_000)
    data = ["--bank", str(folder), "--changed", str(folder)]
    assert train_single.main(["--config", "tiny", *data, "--set", "steps=1", "--out", str(out)]) == 0
    _, header = load_checkpoint(out / SINGLE_FILE)
    assert (header.training["instruments"], header.training["clips"]) == (8, 24)
