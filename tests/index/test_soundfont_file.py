"""Damaged SoundFonts: each one plays or raises a clear error; none may end the process."""

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources.base import Note
from index.sources.soundfont import SoundFontPlayer
from index.sources.soundfont_file import Preset, read_soundfont
from models.errors import SourceError
from tests.index.tiny_soundfont import PATCHES, Patch, soundfont_bytes, write_soundfont

PLAIN = soundfont_bytes(PATCHES[:3])
COMPRESSED = soundfont_bytes(PATCHES[:3], compressed=True)
WHOLE = st.sampled_from([PLAIN, COMPRESSED])


def test_presets_come_in_the_order_of_bank_and_program(tmp_path: Path) -> None:
    path = write_soundfont(tmp_path / "mixed.sf2", (*reversed(PATCHES), Patch("Twice", 0, 0, (1.0,))))
    presets = read_soundfont(path).presets
    assert [(preset.bank, preset.program) for preset in presets] == [
        (patch.bank, patch.program) for patch in PATCHES
    ]
    assert presets[0] == Preset(0, 0, "Pure")  # the first of two under one number


@settings(deadline=None, max_examples=80)
@given(whole=WHOLE, data=st.data())
def test_a_file_cut_short_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path_factory.mktemp("cut") / "cut.sf2"
    path.write_bytes(whole[:kept])
    with pytest.raises(SourceError, match=r"cut\.sf2"):
        SoundFontPlayer(path, 16_000)


@settings(deadline=None, max_examples=80)
@given(whole=WHOLE, data=st.data())
def test_a_file_with_altered_bytes_plays_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    altered = bytearray(whole)
    tables = whole.index(b"pdta")
    positions = st.one_of(st.integers(tables, len(whole) - 1), st.integers(0, len(whole) - 1))
    for position in data.draw(st.lists(positions, min_size=1, max_size=5)):
        altered[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("altered") / "altered.sf2"
    path.write_bytes(altered)
    with suppress(SourceError):
        player = SoundFontPlayer(path, 16_000)
        for preset in player.presets:
            notes = [Note(60, 100, 0.0, 0.1), Note(76, 80, 0.05, 0.2)]
            assert np.isfinite(player.play(preset.bank, preset.program, notes, 0.2)).all()


def _without(kind: bytes) -> Callable[[bytes], bytes]:
    return lambda whole: whole.replace(kind, b"junk")


def _with_table_entry(kind: bytes, offset: int, value: int) -> Callable[[bytes], bytes]:
    """Replace two bytes of a table at an offset from the start of its records."""

    def damage(whole: bytes) -> bytes:
        at = whole.index(kind) + 8 + offset
        return whole[:at] + struct.pack("<H", value) + whole[at + 2 :]

    return damage


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "RIFF"),
    "a wave file": (lambda whole: whole.replace(b"sfbk", b"WAVE"), "RIFF"),
    "text": (lambda _: b"not a sound font at all, and long enough to hold a header", "RIFF"),
    "no sample data": (_without(b"smpl"), "misplaced"),
    "no sdta": (_without(b"sdta"), "missing"),
    "no igen": (_without(b"igen"), "misplaced"),
    "preset bags beyond the table": (_with_table_entry(b"phdr", 24, 900), "points outside"),
    "preset bags going back": (_with_table_entry(b"pbag", 4, 0xFFFF), "points outside"),
    "an unknown instrument": (_with_table_entry(b"pgen", 2, 900), "missing instrument or sample"),
    "the closing instrument": (_with_table_entry(b"pgen", 2, 3), "missing instrument or sample"),
    "an unknown sample": (_with_table_entry(b"igen", 10, 900), "missing instrument or sample"),
    "the closing sample": (_with_table_entry(b"igen", 10, 3), "missing instrument or sample"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    alter, words = DAMAGE[damage]
    path = tmp_path / "bad.sf2"
    path.write_bytes(alter(PLAIN))
    with pytest.raises(SourceError, match=words) as caught:
        read_soundfont(path)
    assert caught.value.value == "bad.sf2"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_soundfont(tmp_path / "none.sf2")


def test_bytes_after_the_end_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "tail.sf2").write_bytes(PLAIN + b"LIST some more")
    assert len(read_soundfont(tmp_path / "tail.sf2").presets) == 3


def test_compressed_samples_sound_like_plain_ones(tmp_path: Path) -> None:
    plain = SoundFontPlayer(write_soundfont(tmp_path / "a.sf2"), 16_000)
    compressed = SoundFontPlayer(write_soundfont(tmp_path / "a.sf3", compressed=True), 16_000)
    assert compressed.presets == plain.presets
    for preset in plain.presets:
        notes = [Note(72, 100, 0.0, 1.5)]  # held far longer than the sample: the loop must fit
        one, other = (player.play(preset.bank, preset.program, notes, 2.0) for player in (plain, compressed))
        assert np.corrcoef(one, other)[0, 1] > 0.99


def test_a_compressed_sample_that_is_no_audio_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.sf3"
    path.write_bytes(COMPRESSED.replace(b"OggS", b"OogS"))
    with pytest.raises(SourceError, match=r"a sample of bad\.sf3"):
        SoundFontPlayer(path, 16_000)


def test_odd_chunks_need_no_padding_where_we_unpack_the_file_ourselves(tmp_path: Path) -> None:
    """MuseScore's converter writes such files."""
    at = COMPRESSED.index(b"smpl") + 4
    (size,) = struct.unpack("<I", COMPRESSED[at : at + 4])
    odd = bytearray(COMPRESSED[: at + 4 + size] + b"\1" + COMPRESSED[at + 4 + size :])
    for position, extra in ((4, 1), (at, 1), (COMPRESSED.index(b"sdta") - 4, 1)):
        (value,) = struct.unpack_from("<I", odd, position)
        struct.pack_into("<I", odd, position, value + extra)
    (tmp_path / "odd.sf3").write_bytes(odd)
    assert len(SoundFontPlayer(tmp_path / "odd.sf3", 16_000).presets) == 3


def test_a_damaged_list_of_information_costs_the_copyright_only(tmp_path: Path) -> None:
    path = tmp_path / "odd.sf2"
    whole = bytearray(soundfont_bytes(PATCHES[:1], copyright_note=b"Public domain"))
    assert read_soundfont(_written(path, whole)).copyright == "Public domain"
    at = whole.index(b"ICOP") + 4
    struct.pack_into("<I", whole, at, 5000)  # beyond the list it stands in
    font = read_soundfont(_written(path, whole))
    assert font.copyright is None
    assert len(font.presets) == 1


def _written(path: Path, content: bytearray) -> Path:
    path.write_bytes(content)
    return path
