"""Entries of a JSON object read one after the other, against the whole object read at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources import json_rows
from index.sources.json_rows import object_entries
from models.errors import SourceError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    content=st.dictionaries(st.text(max_size=8), VALUES, max_size=8),
    indent=st.sampled_from([None, 0, 3]),
    block=st.integers(1, 40),
)
def test_entries_equal_the_object_wherever_blocks_end(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], indent: int | None, block: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    path.write_text(
        json.dumps(content, indent=indent, ensure_ascii=bool(block % 2)) + " \n", encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "BLOCK_CHARACTERS", block)
        assert list(object_entries(path)) == list(content.items())


@settings(deadline=None)
@given(kept=st.integers(0, 60), block=st.integers(1, 40))
def test_an_object_cut_short_is_refused(
    tmp_path_factory: pytest.TempPathFactory, kept: int, block: int
) -> None:
    whole = json.dumps({f"note-{i}": {"pitch": i, "on": [True]} for i in range(2)})
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    path.write_text(whole[: min(kept, len(whole) - 1)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "BLOCK_CHARACTERS", block)
        with pytest.raises(SourceError, match=r"rows\.json is not a JSON object"):
            list(object_entries(path))


def test_an_endless_entry_is_refused_without_reading_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "BLOCK_CHARACTERS", 100)
    monkeypatch.setattr(json_rows, "MAX_ENTRY_CHARACTERS", 1000)
    path = tmp_path / "rows.json"
    path.write_text('{"good": 1, "bad": "' + "x" * 5000)
    entries = object_entries(path)
    assert next(entries) == ("good", 1)
    with pytest.raises(SourceError, match="at character 12"):
        next(entries)


def test_other_bytes_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"\xff": 1}')
    (tmp_path / "deep.json").write_text('{"a": ' + "[" * 100_000)
    for name in ("latin.json", "deep.json", "none.json", "."):
        with pytest.raises(SourceError):
            list(object_entries(tmp_path / name))
