"""The work folder: one run at a time, system errors are explained, and its files keep their format."""

import errno
from pathlib import Path

import pytest

from models.errors import TrainingError
from training.nlakh.resume import explain_os_errors, lock_folder


def test_a_second_run_is_kept_out_until_the_first_ends(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        with pytest.raises(TrainingError, match="another run is rendering"), lock_folder(tmp_path):
            pass
        with lock_folder(tmp_path / "another"):
            pass
    with lock_folder(tmp_path):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="file/out cannot be written"), lock_folder(tmp_path / "file/out"):
        pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; 1 units are kept"),
        (OSError(errno.EIO, "Input/output error", "shard"), "shard: Input/output error; 1 units are kept"),
    ],
)
def test_what_the_system_refuses_is_said_with_what_is_kept(tmp_path: Path, error: OSError, told: str) -> None:
    with lock_folder(tmp_path):
        (tmp_path / ".rendering/train-000000.json").write_text("{}")
        with pytest.raises(TrainingError, match=told), explain_os_errors(tmp_path):
            raise error
