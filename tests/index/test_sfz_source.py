"""SFZ instruments as a source: one file or a folder of them, their names, the files they read, and enrollment."""

import time
from pathlib import Path

import numpy as np
import pytest

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.sources.base import Note, is_playable, is_silent
from index.sources.opening import open_source
from index.sources.sfz.source import SfzSource
from models.encoder_pair import EncoderPair
from models.errors import SourceError
from tests.index.tiny_sfz import C4_HZ, RATE, hz_of, instrument, sine, write_sfz

ONE = "<region> sample=c4.wav loop_mode=loop_continuous"


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A folder laid out like published banks: programs beside samples, some text shared, some files broken."""
    root = tmp_path / "My Bank"
    write_sfz(root, "<group> ampeg_release=0.1\n", name="Programs/common.sfz")
    include = '#include "common.sfz"\n<region> sample=..\\Samples\\'
    write_sfz(root, include + "C4.wav", {"Samples/c4.wav": sine()}, "Programs/Flute_Solo__v2.sfz")
    write_sfz(
        root, "<region> sample=../../Samples/c4.wav lokey=40 hikey=80", {}, "Programs/Strings/patch 1.sfz"
    )
    write_sfz(root, "<region> sample=../../Samples/c4.wav", {}, "Programs/Strings/patch-1.sfz")
    write_sfz(root, "<region> sample=gone.wav", {}, "Programs/broken.sfz")
    write_sfz(root, ONE, {}, "Programs/.hidden.sfz")
    write_sfz(root, ONE, {}, "__MACOSX/Programs/._x.sfz")
    (root / "LICENSE.txt").write_text("CC0")
    return root


def test_each_sfz_of_a_folder_is_an_instrument(bank: Path) -> None:
    source = open_source(bank)
    assert isinstance(source, SfzSource)
    assert (source.name, len(source)) == ("My Bank", 3)
    assert [(one.name, one.family, one.source, one.playable_range) for one in source] == [
        ("Flute Solo v2", "flute", "My Bank/Programs/Flute_Solo__v2.sfz", (0, 120)),
        ("patch 1", "string", "My Bank/Programs/Strings/patch 1.sfz", (40, 80)),
        ("patch-1", "string", "My Bank/Programs/Strings/patch-1.sfz", (0, 120)),
    ]
    ids = [one.id for one in source]
    assert ids[:2] == ["my_bank_programs_flute_solo_v2", "my_bank_programs_strings_patch_1"]
    assert len({one.id for one in source}) == 3
    assert {one.licence for one in source} == {"see LICENSE.txt"}
    assert all(is_playable(one) for one in source)
    ((broken, reason),) = source.faults
    assert broken == "My Bank/Programs/broken.sfz"
    assert "1 missing: gone.wav" in reason


def test_an_include_that_is_not_there_is_a_fault_of_its_instrument(tmp_path: Path) -> None:
    path = write_sfz(tmp_path, '#include "gone.txt"\n<region> sample=c4.wav')
    assert instrument(path).faults == (("a.sfz:1", "#include gone.txt: it does not exist"),)


def test_files_are_all_that_is_read(bank: Path) -> None:
    names = {path.relative_to(bank).as_posix() for path in SfzSource(bank).files}
    assert names == {
        *("Programs/Flute_Solo__v2.sfz", "Programs/common.sfz", "Samples/c4.wav"),
        *("Programs/Strings/patch 1.sfz", "Programs/Strings/patch-1.sfz"),
    }
    assert list(SfzSource(bank).files) == sorted(SfzSource(bank).files)


def test_a_file_by_itself_reads_beside_the_folder_it_lies_in(bank: Path) -> None:
    source = SfzSource(bank / "Programs" / "Flute_Solo__v2.sfz")
    (flute,) = source
    assert (source.name, flute.id, flute.source) == ("Flute_Solo__v2", "flute_solo_v2", "Flute_Solo__v2.sfz")
    assert hz_of(flute.play([Note(72, 100, 0.0, 0.4)], 0.4, RATE)) == pytest.approx(2 * C4_HZ, rel=2e-3)
    deeper = write_sfz(bank, "<region> sample=../../../Samples/c4.wav", {}, "Programs/A/B/deep.sfz")
    with pytest.raises(SourceError, match="outside"):
        SfzSource(deeper)
    assert "deep" in [one.name for one in SfzSource(bank)]


def test_what_is_no_sfz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no \.sfz"):
        SfzSource(tmp_path)
    with pytest.raises(SourceError, match="1 missing: gone"):
        SfzSource(write_sfz(tmp_path, "<region> sample=gone.wav"))
    (tmp_path / "link.sfz").symlink_to(tmp_path / "nowhere.sfz")
    (tmp_path / "binary.sfz").write_bytes(bytes(range(256)))
    with pytest.raises(SourceError, match=r"is not text|has no playable region"):
        SfzSource(tmp_path)


def test_instruments_are_enrolled_with_their_faults(
    bank: Path, index: InstrumentIndex, pair: EncoderPair
) -> None:
    library = index.libraries.create("mine")
    report = enroll(index, pair, library.id, SfzSource(bank))
    assert [one.name for one in report.added] == ["Flute Solo v2", "patch 1", "patch-1"]
    assert any(name == "My Bank/Programs/broken.sfz" for name, _ in report.skipped)


def test_clips_and_previews_sound(tmp_path: Path) -> None:
    low = instrument(write_sfz(tmp_path, f"{ONE} lokey=24 hikey=45"))
    clips = low.clips(RATE, 5 * RATE)
    assert clips.shape == (8, 80_000)
    assert clips.dtype == np.float32
    assert not any(is_silent(clip) for clip in clips)
    samples, sample_rate = low.preview()
    assert (samples.ndim, sample_rate) == (1, 44_100)
    assert 3.0 <= len(samples) / sample_rate <= 4.5
    silent = instrument(write_sfz(tmp_path, "<region> sample=none.wav", {"none.wav": np.zeros(100)}))
    for act in (lambda: silent.clips(RATE, 5 * RATE), silent.preview):
        with pytest.raises(SourceError, match="silent in every register"):
            act()


def test_opening_decodes_nothing_and_instruments_are_fresh(tmp_path: Path) -> None:
    path = write_sfz(tmp_path, ONE)
    source = SfzSource(path)
    (tmp_path / "c4.wav").write_bytes(b"these are words")
    (broken,) = source
    assert not broken.play([Note(60, 100, 0.0, 1.0)], 1.0, RATE).any()
    with pytest.raises(SourceError, match=r"silent in every register; c4\.wav: c4\.wav is not an audio file"):
        broken.clips(RATE, RATE)
    (again,) = source
    assert again.faults == ()
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        again.clips(RATE, RATE)


def test_thousands_of_regions_open_quickly(tmp_path: Path) -> None:
    lines = [f"<region> sample=c4.wav key={i % 128} lovel={i % 99} volume=-3 tune=4" for i in range(5000)]
    path = write_sfz(tmp_path, "\n".join(lines))
    started = time.process_time()
    assert len(SfzSource(path)) == 1
    assert time.process_time() - started < 3.0
