"""Productions on disk: drums in each, truth that fits the sound, the limiter's ceiling, the same bytes after a full disk."""

import json
import resource
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.training.nlakh.tiny_sets import contents
from tests.training.productions.conftest import COUNTS, Inputs
from training.bank import Bank
from training.nlakh.command import main
from training.nlakh.dataset import read_dataset
from training.nlakh.dataset_check import check_dataset
from training.productions.truth import TRUTH_FILE, read_truth, total_seconds

CEILING = 32767 * 10 ** (-1 / 20)
SECONDS = 15.0
RATE = 16_000


def productions(folder: Path, split: str) -> list[np.ndarray]:
    """Return the stems of each production, int16 [parts, samples]."""
    bank = Bank.open(folder, split, "multi")
    return [bank.rows(range(first, until)) for first, until in pairwise(bank.offsets.tolist())]


def test_a_production_has_drums_and_four_to_eight_different_instruments(made: Path) -> None:
    assert not list(check_dataset(made))
    dataset = read_dataset(made)
    assert dataset.is_production
    for split, count in COUNTS.items():
        row_of = {row.number: row for row in dataset.of_split(split)}
        assert len(read_truth(made / split)) == count
        for parts in read_truth(made / split):
            assert 4 <= len({part.instrument for part in parts}) == len(parts) <= 8
            assert "drum" in [part.family for part in parts]
            for part in parts:
                assert (part.id, part.family) == (row_of[part.instrument].id, row_of[part.instrument].family)


def test_test_productions_are_played_by_test_instruments_only(made: Path) -> None:
    for parts in read_truth(made / "test-same"):
        for part in parts:
            if part.id.startswith("real_"):
                assert "test_drummer" in part.id or "test_singer" in part.id
            else:
                assert part.id[-1] in "23"


def test_no_sample_of_a_mix_or_part_exceeds_the_ceiling_and_loud_ones_reach_it(made: Path) -> None:
    peaks = []
    for split in COUNTS:
        for stems in productions(made, split):
            mix = stems.sum(axis=0, dtype=np.int32)
            peaks.append(int(np.abs(mix).max()))
            assert max(peaks[-1], int(np.abs(stems.astype(np.int32)).max())) <= CEILING
    assert max(peaks) > 0.5 * CEILING


def test_spans_are_when_the_stems_sound(made: Path) -> None:
    """Frame by frame: within spans are all frames above -40 dB of the stem's loudest; their edges are such frames."""
    size = round(0.02 * RATE)
    for stems, parts in zip(productions(made, "test-same"), read_truth(made / "test-same"), strict=True):
        for stem, part in zip(stems.astype(np.float64), parts, strict=True):
            power = [float(np.mean(stem[at : at + size] ** 2)) for at in range(0, len(stem), size)]
            loud = [frame for frame, value in enumerate(power) if value >= max(power) / 10_000]
            inside = [any(start <= 0.02 * frame < end for start, end in part.spans) for frame in loud]
            assert np.mean(inside) > 0.99  # single frames may be too short for a span
            for start, end in part.spans:
                assert 0 <= start < end <= SECONDS
                assert {round(start / 0.02), round(end / 0.02) - 1} <= set(loud)
            gaps = [after[0] - before[1] for before, after in pairwise(part.spans)]
            assert all(gap > 0.29 for gap in gaps)
            assert total_seconds(part.spans) > 1


def test_a_production_depends_on_seed_split_and_number_alone(
    inputs: Inputs, made: Path, tmp_path: Path
) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    few = ["--mixtures", "test-same=1"]
    assert main([*inputs.command(again, "--layout", "folders"), *few]) == 0
    (stems,) = productions(again, "test-same")
    assert np.array_equal(stems, productions(made, "test-same")[0])
    mix = Bank.open(again, "test-same", "multi").rows(range(len(stems))).sum(axis=0)
    assert not list(check_dataset(again))
    assert main([*inputs.command(other, "--seed", "5"), *few]) == 0
    assert not np.array_equal(productions(other, "test-same")[0].sum(axis=0), mix)


def test_after_a_full_disk_the_same_command_ends_in_the_same_bytes(
    inputs: Inputs, made: Path, tmp_path: Path
) -> None:
    """The first unit is one production, the second three: a file size limit that only the first keeps."""
    first = (made / "train/shard_00000.npy").stat().st_size
    second = (made / "test-same/shard_00000.npy").stat().st_size
    assert first < second
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (first, before[1]))
    try:
        assert main(inputs.command(tmp_path / "full")) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "full/train/shard_00000.npy").exists()
    assert not (tmp_path / "full/dataset.json").exists()
    assert main(inputs.command(tmp_path / "full")) == 0
    assert contents(tmp_path / "full") == contents(made)


def test_a_truth_that_says_otherwise_is_named(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "set")
    path = tmp_path / "set/test-same" / TRUTH_FILE
    lines = path.read_text().splitlines()

    def told() -> str:
        return "\n".join(f"{what}: {why}" for what, why in check_dataset(tmp_path / "set"))

    row = json.loads(lines[1])
    row["parts"][0]["spans"][0][0] += 0.5
    path.write_text("\n".join([lines[0], json.dumps(row), lines[2]]))
    assert told().count("sound otherwise") == 1
    path.write_text("\n".join(lines[:2]))
    assert told().count("sound otherwise") == 1
    path.write_text("\n".join([*lines, lines[0]]))
    assert "1 productions that are not there" in told()
    path.write_text("no truth")
    assert "truth.jsonl is damaged" in told()
    path.unlink()
    assert "truth.jsonl cannot be read" in told()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--seconds", "40"], "seconds is 40.0, 15.0 to 30.0 is allowed"),
        (["--seconds", "nan"], "seconds is nan"),
        (["--max-instruments", "3"], "max_instruments of a production is 3, 4 to 100"),
        (["--mixtures", "valid=1"], "no audible instrument of the split valid"),
    ],
)
def test_what_cannot_be_rendered_is_one_line(
    more: list[str], words: str, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(inputs.command(tmp_path / "out", *more)) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.rglob("shard*"))


def test_without_kits_or_drum_tracks_nothing_is_rendered(
    inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = inputs.command(tmp_path / "out")
    place = words.index(str(inputs.real))
    assert main([*words[: place - 1], *words[place + 1 :]]) == 2
    assert "the instruments of train hold no drum kit" in " ".join(capsys.readouterr().err.split())
    kits = [word for word in words if word != str(inputs.notes)]
    kits.pop(kits.index("--notes"))
    assert main([*kits, "--out", str(tmp_path / "kits")]) == 2
    assert "0 instruments of train play other tracks than drums, 3 are needed" in " ".join(
        capsys.readouterr().err.split()
    )
    plain = [word for word in inputs.command(tmp_path / "plain") if word != "--production"]
    assert main([*plain, "--seconds", "15"]) == 2
    assert "give --production" in capsys.readouterr().err


def test_mixtures_without_a_production_leave_recordings_out(inputs: Inputs, tmp_path: Path) -> None:
    plain = [word for word in inputs.command(tmp_path / "out", "--drums") if word != "--production"]
    assert main(plain) == 0
    dataset = read_dataset(tmp_path / "out")
    assert not dataset.is_production
    faults = dict(dataset.faults)
    voices = [key for key in faults if "singer" in key]
    assert voices
    assert all("no MIDI can play it" in faults[key] for key in voices)
    assert not any("singer" in row.id for row in dataset.instruments)
    assert not (tmp_path / "out/train" / TRUTH_FILE).exists()
    assert not list(check_dataset(tmp_path / "out"))
