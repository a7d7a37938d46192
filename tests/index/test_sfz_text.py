"""The text of SFZ files: comments, definitions, includes and limits; any text is either read or refused."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources.sfz import text as sfz_text
from index.sources.sfz.paths import SfzTree, portable_name
from index.sources.sfz.reader import read_sfz
from index.sources.sfz.text import MAX_INCLUDES, SfzText
from models.errors import SourceError


def headers(folder: Path, text: str | bytes) -> list[tuple[str, dict[str, str]]]:
    path = folder.resolve() / "a.sfz"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(header.name, dict(header.opcodes)) for header in SfzText(path, SfzTree(folder)).headers()]


def test_headers_and_opcodes_share_lines_and_values_hold_spaces(tmp_path: Path) -> None:
    text = (
        "<group>lovel=1 hivel=64<region> sample=Grand Piano C#4 (v1).wav key=c#4  volume=-3.5\nsample=b.wav"
    )
    region = {"sample": "b.wav", "key": "c#4", "volume": "-3.5"}
    assert headers(tmp_path, text) == [("group", {"lovel": "1", "hivel": "64"}), ("region", region)]


def test_comments_end_with_their_line_or_their_mark(tmp_path: Path) -> None:
    text = "// <group>\n<region> /* sample=x.wav\n// */ sample=a.wav// key=3\n/ key=5 /* no end <region>"
    assert headers(tmp_path, text) == [("region", {"sample": "a.wav", "key": "5"})]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_endings_and_byte_order_marks(tmp_path: Path, ending: str, mark: bytes) -> None:
    text = mark + f"<region>{ending}sample=Flöte.wav{ending}key=60".encode()
    assert headers(tmp_path, text) == [("region", {"sample": "Flöte.wav", "key": "60"})]


def test_text_that_is_no_utf8_is_latin_1(tmp_path: Path) -> None:
    assert headers(tmp_path, "<region> sample=Flöte.wav".encode("latin-1"))[0][1]["sample"] == "Flöte.wav"


def test_definitions_replace_the_longest_name_from_where_they_stand(tmp_path: Path) -> None:
    text = (
        "#define $KEY 60 // middle C\n#define $KEYHIGH 72\n#define $DIR Samples\n<control> default_path=$DIR/$NONE\n"
        "<region> key=$KEY sample=$KEYHIGH$DIR.wav\n#define $KEY 61 #define $X vel\n<region> key=$KEYS lo$X=2"
    )
    assert headers(tmp_path, text) == [
        ("control", {"default_path": "Samples/$NONE"}),
        ("region", {"key": "60", "sample": "72Samples.wav"}),
        ("region", {"key": "61S", "lovel": "2"}),
    ]


def test_includes_stand_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "Data").mkdir()
    (tmp_path / "Data" / "keys.txt").write_text('<region> key=$K\n#include "more.txt"')
    (tmp_path / "Data" / "More.TXT").write_text("sample=a.wav")
    text = '<group>#define $K 60\n#include "data\\Keys.txt"\n<region>#define $K 61\n#include "Data/keys.txt" volume=1'
    region = {"key": "60", "sample": "a.wav"}
    assert headers(tmp_path, text) == [
        ("group", {}),
        ("region", region),
        ("region", {}),
        ("region", {"key": "61", "sample": "a.wav", "volume": "1"}),
    ]


def test_includes_that_cannot_be_had_are_faults(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("<region> sample=secret.wav")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    path = folder / "a.sfz"
    names = ["../secret.txt", str(tmp_path / "secret.txt"), "C:\\secret.txt", "link.txt", "nowhere.txt"]
    path.write_text("\n".join(f'#include "{name}"' for name in names))
    text = SfzText(path, SfzTree(folder))
    assert list(text.headers()) == []
    assert [place for place, _ in text.faults] == [f"a.sfz:{line}" for line in range(1, 6)]
    assert all("outside" in reason for _, reason in text.faults[:4])
    assert "does not exist" in text.faults[4][1]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.sfz": '#include "a.sfz"'}, "includes itself"),
        (
            {"a.sfz": '#include "b.txt"', "b.txt": '#include "c.txt"', "c.txt": '#include "b.txt"'},
            "includes itself",
        ),
        (
            {"a.sfz": '#include "0.txt"'} | {f"{i}.txt": f'#include "{i + 1}.txt"' for i in range(20)},
            "too deeply",
        ),
        ({"a.sfz": '#include "b.txt"\n' * (MAX_INCLUDES + 1), "b.txt": ""}, "too many files"),
        ({"a.sfz": '#include "b.txt"\n' * 30, "b.txt": "x" * 1_000}, "too long"),
        ({"a.sfz": "#define $a " + "b" * 1000 + "\n" + "$a" * 20}, "too long"),
        ({"a.sfz": "#define $a aa\n" + "#define $a $a$a\n" * 40}, "too long"),
        ({"a.sfz": "<region> sample=a.wav\0"}, "not text"),
        ({"a.sfz": "\n" * 17_000}, "too long"),
    ],
)
def test_texts_that_run_away_are_refused(
    tmp_path: Path, files: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sfz_text, "MAX_TEXT", 50_000 if reason == "too many files" else 16_000)
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=reason):
        read_sfz(tmp_path / "a.sfz", SfzTree(tmp_path))


FRAGMENTS = """\
<region> |<group> |<global> |<master> |<control> |<curve> |<x>|sample=c4.wav |sample=a.wav |sample=*saw |
key=60 |lokey=c#4 |hikey= |=1|lovel=-1 |volume=1e99 |set_cc1=64 |xfin_locc1=0 |xfin_hicc1=127 |locc1=3 |
volume_oncc1=-9 |seq_length=0 |sw_last=1 |\0|loop_mode=x |end=-1 |seq_position=2 |#define $a $ab |
#define $b $a$a|$ab |#include "a.sfz"|#include "b.txt" |default_path=../ |//|/*|*/|ampeg_attack=9999999 |
tune=nan |pan=inf |xfin_lohdcc1=1 |cutoff=-1 |note_offset=99 |key=h9 |sw_default=9
"""
PIECES = FRAGMENTS.split("|")


@settings(max_examples=150, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=200),
        st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
        st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=40).map("".join),
        st.binary(max_size=100),
    )
)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "b.txt").write_text("<region> sample=c4.wav")
    (folder / "c4.wav").touch()
    path = folder / "a.sfz"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with suppress(SourceError):
        file = read_sfz(path, SfzTree(folder))
        assert file.regions
        assert 0 <= file.playable_range[0] <= file.playable_range[1] <= 127


@given(st.text(max_size=50))
def test_portable_names_stay_what_they_are(name: str) -> None:
    once = portable_name(name)
    assert portable_name(once) == once
    assert not set(once) & set('/\\:*?"<>|')
