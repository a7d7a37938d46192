"""Hostile and odd zips: none writes outside its folder or unpacks beyond the limits, and every refusal has a clear message."""

import io
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.archive import clean_name, unpack
from index.decoding.workers import DecodeWorkers
from models.errors import AudioTooLarge, ShowMeError, SourceError
from tests.app.sounds import zipped

SUFFIXES = (".wav", ".flac")


def unpacked(
    workers: DecodeWorkers,
    tmp_path: Path,
    content: bytes,
    *,
    max_entries: int = 100,
    max_bytes: int = 1_000_000,
) -> dict[str, bytes]:
    """Unpack `content` under `tmp_path` and return every file written, path → content."""
    archive, target = tmp_path / "upload.zip", tmp_path / "target"
    archive.write_bytes(content)
    target.mkdir()
    try:
        unpack(archive, target, workers, suffixes=SUFFIXES, max_entries=max_entries, max_bytes=max_bytes)
    finally:
        assert {path.name for path in tmp_path.iterdir()} == {"upload.zip", "target"}
    return {
        str(path.relative_to(target)): path.read_bytes()
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def test_folders_become_instruments(workers: DecodeWorkers, tmp_path: Path) -> None:
    files = {
        "Bass/a.wav": b"1",
        "Bass/deep/b.wav": b"2",
        "Bass/deep/a.wav": b"3",
        "Solo.WAV": b"4",
        "x.txt": b"5",
    }
    written = unpacked(workers, tmp_path, zipped(files))
    assert {Path(path).parts[0] for path in written} == {"Bass", "Solo.WAV"}
    assert sorted(written.values()) == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.wav",
        "a/../../evil.wav",
        "/etc/evil.wav",
        "..\\evil.wav",
        "C:\\evil.wav",
        "c:/evil.wav",
        "\\\\host\\evil.wav",
    ],
)
def test_paths_that_leave_the_folder(workers: DecodeWorkers, tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError) as refused:
        unpacked(workers, tmp_path, zipped({"Good/a.wav": b"1", name: b"2"}))
    assert refused.value.value == name


@pytest.mark.parametrize("others", [{}, {"x.sfz": b""}])
@pytest.mark.parametrize("inner", ["a.wav/b.wav", "a.wav/deep/er/b.wav"])
def test_a_file_and_a_folder_of_one_name_are_refused_without_a_path_of_ours(
    workers: DecodeWorkers, tmp_path: Path, others: dict[str, bytes], inner: str
) -> None:
    with pytest.raises(SourceError, match="a file and a folder of the same name") as refused:
        unpacked(workers, tmp_path, zipped({"a.wav": b"1", inner: b"2", **others}))
    assert refused.value.value == inner
    assert str(tmp_path) not in refused.value.message


def test_links_are_refused(workers: DecodeWorkers, tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("Bass/a.wav")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SourceError, match="link"):
        unpacked(workers, tmp_path, file.getvalue())


def test_encrypted_entries_are_refused(workers: DecodeWorkers, tmp_path: Path) -> None:
    content = bytearray(zipped({"Bass/a.wav": b"1"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(SourceError, match="encrypted"):
        unpacked(workers, tmp_path, bytes(content))


def test_bombs_are_refused_by_what_they_declare(workers: DecodeWorkers, tmp_path: Path) -> None:
    bomb = zipped({"a/a.wav": bytes(5_000_000)})
    assert len(bomb) < 10_000
    with pytest.raises(AudioTooLarge) as refused:
        unpacked(workers, tmp_path, bomb)
    assert (refused.value.value, refused.value.limit) == (5_000_000, 1_000_000)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bombs_are_refused_when_they_lie(workers: DecodeWorkers, tmp_path: Path, compression: int) -> None:
    content = bytearray(zipped({"a/a.wav": bytes(5_000_000)}, compression))
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", content, content.index(signature) + offset, 100)
    with pytest.raises(ShowMeError):
        unpacked(workers, tmp_path, bytes(content))
    assert (
        sum(path.stat().st_size for path in (tmp_path / "target").rglob("*") if path.is_file()) <= 1_000_000
    )


def test_too_many_entries(workers: DecodeWorkers, tmp_path: Path) -> None:
    with pytest.raises(AudioTooLarge) as refused:
        unpacked(workers, tmp_path, zipped({f"a/{number}.wav": b"" for number in range(101)}))
    assert refused.value.limit == 100


def test_a_zip_with_sfz_keeps_its_folders_and_all_in_them(workers: DecodeWorkers, tmp_path: Path) -> None:
    files = {
        "Bank/Programs/piano.SFZ": b"1",
        "Bank\\Samples\\c4 v1.wav": b"2",
        "Bank/Samples/c4 v1.FLAC": b"3",
        "Bank/Data/keys.txt": b"4",
        "Bank/LICENSE": b"5",
        "Bank/.hidden/x.wav": b"6",
        "__MACOSX/Bank/._piano.sfz": b"7",
        "Bank/": b"",
    }
    written = unpacked(workers, tmp_path, zipped(files))
    kept = list(files.items())[:5]
    assert written == {name.replace("\\", "/"): content for name, content in kept}


def test_names_in_a_zip_with_sfz_are_made_portable_and_the_last_of_one_name_stays(
    workers: DecodeWorkers, tmp_path: Path
) -> None:
    names = ["a.sfz", "vol:1/ c4? .wav", "a" * 120 + ".wav", "...dots/x.wav", "Cafe\u0301.wav"]
    written = unpacked(workers, tmp_path, zipped(dict.fromkeys(names, b"1")))
    assert set(written) == {"a.sfz", "vol_1/c4_ .wav", "a" * 120 + ".wav", "Café.wav"}


@pytest.mark.parametrize(
    "files",
    [
        {"doc.pdf": bytes(2_000_000)},
        {"a.sfz/x.wav": b""},
        {"a" * 300 + ".wav": b""},
        *({name: b""} for name in ("../b.sfz", "a/../../b.sfz", "/b.sfz", "C:\\b.sfz")),
    ],
)
def test_a_zip_with_sfz_has_the_same_limits(
    workers: DecodeWorkers, tmp_path: Path, files: dict[str, bytes]
) -> None:
    with pytest.raises((AudioTooLarge, SourceError)) as refused:
        unpacked(workers, tmp_path, zipped({"a.sfz": b"", **files}))
    assert str(tmp_path) not in refused.value.message


def test_odd_names_stay_inside(workers: DecodeWorkers, tmp_path: Path) -> None:
    names = [
        "a" * 300 + "/b.wav",
        "Über/ä.wav",
        "CON/a.wav",
        "vol:1/a.wav",
        "a:b/a.wav",
        "C:evil.wav",
        "tab\there/a.wav",
        "dots.../a.wav",
        " /a.wav",
    ]
    written = unpacked(workers, tmp_path, zipped({name: name.encode() for name in names}))
    assert sorted(written.values()) == sorted(name.encode() for name in names)
    assert all(len(part) <= 120 for path in written for part in Path(path).parts)


@given(st.text(max_size=300))
def test_clean_names_are_safe(name: str) -> None:
    clean = clean_name(name)
    assert 1 <= len(clean) <= 100
    assert not set(clean) & set('/\\:\x00\n"')
    assert clean not in (".", "..")
    assert not clean.startswith((".", " "))
    clean.encode()


SAMPLES = (
    zipped({"Bass/a.wav": b"sound" * 50, "Flute/b.wav": b"other" * 50}),
    zipped({"a.sfz": b"<region> sample=a.wav", "a.wav": b"other" * 50}),
)


@settings(max_examples=150)
@given(st.data())
def test_damaged_zips_never_surprise(
    workers: DecodeWorkers, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    folder = tmp_path_factory.mktemp("zip")
    with suppress(ShowMeError):
        unpacked(workers, folder, bytes(content))
