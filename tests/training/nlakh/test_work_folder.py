"""The work folder: one run at a time, and what the system refuses is said in words."""

import errno
from pathlib import Path

import pytest

from models.errors import TrainingError
from training.nlakh.work_folder import only_run, stops_in_words


def test_a_second_run_is_kept_out_until_the_first_ends(tmp_path: Path) -> None:
    with only_run(tmp_path):
        with pytest.raises(TrainingError, match="another run is rendering"), only_run(tmp_path):
            pass
        with only_run(tmp_path / "another"):
            pass
    with only_run(tmp_path):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="file/out cannot be written"), only_run(tmp_path / "file/out"):
        pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; 1 units are kept"),
        (OSError(errno.EIO, "Input/output error", "shard"), "shard: Input/output error; 1 units are kept"),
    ],
)
def test_what_the_system_refuses_is_said_with_what_is_kept(tmp_path: Path, error: OSError, told: str) -> None:
    with only_run(tmp_path):
        (tmp_path / ".rendering/train-000000.json").write_text("{}")
        with pytest.raises(TrainingError, match=told), stops_in_words(tmp_path):
            raise error
