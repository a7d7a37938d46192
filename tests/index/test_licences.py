"""The licence file of a folder of sounds: the nearest one up to the root, under its common names."""

from pathlib import Path

import pytest

from index.sources.licences import licence_beside


@pytest.mark.parametrize(
    "name", ["LICENSE", "LICENCE.txt", "License.md", "COPYING", "copying.TXT", "COPYING-samples"]
)
def test_licence_files_are_known_by_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("public domain")
    assert licence_beside(tmp_path / "a.wav", tmp_path) == f"see {name}"


@pytest.mark.parametrize(
    "name", ["LICENSE.wav", "my license.txt", "LICENSING", "readme.txt", "LICENSE.txt.bak"]
)
def test_other_files_say_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("?")
    assert licence_beside(tmp_path / "a.wav", tmp_path) is None


def test_the_nearest_counts_and_none_above_the_root(tmp_path: Path) -> None:
    deep = tmp_path / "bank" / "strings" / "cello"
    deep.mkdir(parents=True)
    (tmp_path / "LICENSE").write_text("of something else")
    root = tmp_path / "bank"
    assert licence_beside(deep, root) is None
    (root / "COPYING").write_text("of the bank")
    assert licence_beside(deep, root) == "see COPYING"
    (deep / "LICENCE.txt").write_text("of the cello")
    assert licence_beside(deep, root) == "see LICENCE.txt"
    assert licence_beside(deep / "a.wav", root) == "see LICENCE.txt"
    assert licence_beside(root / "a.wav", root / "a.wav") == "see COPYING"
