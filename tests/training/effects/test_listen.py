"""The listening aid writes the requested number of mixtures, at an audible level, and a list of their contents."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.training.nlakh.written import instruments, write_single
from tests.training.small_bank import SmallBank
from training import listen


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    small = SmallBank()
    write_single(
        tmp_path / "bank", small.rows(np.arange(small.num_clips)), instruments(small.num_instruments)
    )
    return tmp_path / "bank"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    tiny = (Path(listen.__file__).parent / "configs/tiny.toml").read_text()
    path = tmp_path / "audible.toml"
    path.write_text(tiny + "[effects]\nstems.reverb.probability = 0.5\nmixture.noise.probability = 1\n")
    return path


def run(bank: Path, config: Path, out: Path, *more: str) -> int:
    return listen.main(["--bank", str(bank), "--config", str(config), "--out", str(out), *more])


def test_mixtures_are_written_with_what_is_in_them(tmp_path: Path, bank: Path, config: Path) -> None:
    assert run(bank, config, tmp_path / "out", "--mixtures", "12", "--seed", "3") == 0
    content = json.loads((tmp_path / "out" / listen.CONTENT_FILE).read_text())
    assert list(content) == [f"{number:03d}.wav" for number in range(1, 13)]
    effects = []
    for name, said in content.items():
        wave, rate = sf.read(tmp_path / "out" / name)
        assert (rate, wave.shape) == (16_000, (4_000,))
        assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.1, abs=0.005)
        assert 2 <= len(said["instruments"]) <= 3
        assert 20 <= said["effects"]["noise"]["snr_db"] <= 50
        effects += [stem["effects"] for stem in said["instruments"]]
        assert all(
            abs(stem["gain_db"]) <= 6 and stem["name"].startswith("I ") for stem in said["instruments"]
        )
    assert {tuple(each) for each in effects} == {(), ("reverb",)}


def test_a_seed_says_which(tmp_path: Path, bank: Path, config: Path) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run(bank, config, tmp_path / out, "--mixtures", "1", "--seed", seed) == 0
    a, b, c = ((tmp_path / out / "001.wav").read_bytes() for out in "abc")
    assert a == b != c


def test_mistakes_are_told_in_one_line(
    tmp_path: Path, bank: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bank, config, tmp_path / "out", "--mixtures", "0") == 2
    assert run(bank, Path("ours-multi"), tmp_path / "out") == 2
    assert run(tmp_path / "nowhere", config, tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "1-9 of 6" in lines[1]
