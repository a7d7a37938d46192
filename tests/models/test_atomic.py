"""Atomic files appear complete, and the old file stays until the new one is complete."""

from pathlib import Path

import pytest

from models.atomic import atomic_file, write_atomically


def test_the_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.bin"
    with atomic_file(path) as file:
        file.write(b"first half, ")
        assert not path.exists()
        file.write(b"second half")
    assert path.read_bytes() == b"first half, second half"
    assert list(path.parent.iterdir()) == [path]


def break_off(path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"new, but only half of")
        raise KeyboardInterrupt


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        break_off(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
