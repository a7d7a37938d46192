"""Opening a path by its kind, combining sources, and refusing every other path."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.sources.base import InstrumentSource, Note, is_playable
from index.sources.folder import FolderSource
from index.sources.note_bank import NoteBankSource
from index.sources.nsynth import NSynthSource
from index.sources.opening import CombinedSource, open_source
from index.sources.sfz.source import SfzSource
from index.sources.soundfont import SoundFontSource
from models.encoder_pair import EncoderPair
from models.errors import SourceError
from tests.index.conftest import write_tone
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tiny_banks import slots, write_nsynth, write_slots
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes, write_soundfont

NOTE = "reed_acoustic_001-060-100"


def write_sfz(folder: Path) -> Path:
    write_tone(folder / "samples" / "a.wav", 300)
    path = folder / "Oboe.sfz"
    path.write_text("<region> sample=samples/a.wav key=60\n")
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with one of each kind, named after it."""
    write_nsynth(tmp_path / "nsynth-test", [NOTE])
    write_nsynth(tmp_path / "nsynth root" / "nsynth-valid", [NOTE])
    write_slots(tmp_path / "bank", "pad", "zyn", slots(silent=range(1, 8)))
    write_soundfont(tmp_path / "one.SF2", PATCHES[:1])
    write_soundfont(tmp_path / "one.sf3", PATCHES[:1], compressed=True)
    (tmp_path / "fonts").mkdir()
    for name in ("b.sf2", "a.sf2"):
        write_soundfont(tmp_path / "fonts" / name, PATCHES[:2])
    write_sfz(tmp_path / "sfz")
    write_tone(tmp_path / "folder" / "viola.wav", 300)
    return tmp_path


KINDS: dict[str, tuple[type, int, bool]] = {
    "nsynth-test": (NSynthSource, 1, True),
    "nsynth root": (NSynthSource, 1, True),
    "bank": (NoteBankSource, 1, True),
    "one.SF2": (SoundFontSource, 1, True),
    "one.sf3": (SoundFontSource, 1, True),
    "fonts": (CombinedSource, 4, True),
    "sfz": (SfzSource, 1, True),
    "sfz/Oboe.sfz": (SfzSource, 1, True),
    "folder": (FolderSource, 1, False),
    "folder/viola.wav": (FolderSource, 1, False),
}


@pytest.mark.parametrize("name", KINDS)
def test_sources_open_by_what_they_are(shelf: Path, name: str) -> None:
    kind, size, playable = KINDS[name]
    path = shelf / name
    source = open_source(path)
    assert isinstance(source, kind)
    assert source.name == (path.name if path.is_dir() else path.stem)
    assert source.faults == ()
    assert len(source) == len(list(source)) == size
    assert len({instrument.id for instrument in source}) == size
    assert all(is_playable(instrument) == playable for instrument in source)
    inside = set(path.rglob("*")) if path.is_dir() else set(path.parent.rglob("*"))
    assert set(source.files) <= inside
    assert source.files == tuple(sorted(source.files))
    assert source.files


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_clips_previews_and_notes(shelf: Path, name: str) -> None:
    for instrument in open_source(shelf / name):
        clips = instrument.clips(16_000, 16_000)
        assert clips.dtype == np.float32
        assert clips.shape[1:] == (16_000,)
        assert len(clips) >= 1
        samples, sample_rate = instrument.preview()
        assert len(samples) <= 6 * sample_rate
        if is_playable(instrument):
            low, high = instrument.playable_range
            assert 0 <= low <= high <= 127
            played = instrument.play([Note(low, 100, 0.0, 0.2)], 0.25, 22_050)
            assert played.shape == (5512,)
            assert played.any()
            again = instrument.play([Note(low, 100, 0.0, 0.2)], 0.25, 22_050)
            assert np.array_equal(played, again)


@pytest.mark.parametrize("name", [name for name, (_, _, playable) in KINDS.items() if playable])
def test_what_an_instrument_decoded_goes_with_it(shelf: Path, name: str) -> None:
    """The memory is freed at once: the garbage collector counts objects, not bytes, and would run late."""
    gc.disable()
    try:
        (instrument, *_) = open_source(shelf / name)
        instrument.clips(16_000, 16_000)
        gone = weakref.ref(instrument)
        del instrument, _
        assert gone() is None
    finally:
        gc.enable()


def test_the_way_with_holes_reaches_nsynth(shelf: Path) -> None:
    ((nearest,), (left_out,)) = (
        open_source(shelf / "nsynth root"),
        open_source(shelf / "nsynth root", missing="leave out"),
    )
    assert (nearest.playable_range, left_out.playable_range) == ((57, 63), (60, 60))


def test_a_damaged_soundfont_among_others_is_a_fault(shelf: Path) -> None:
    fonts = shelf / "fonts"
    (fonts / "cut.sf2").write_bytes(soundfont_bytes()[:3000])
    (fonts / "lost.sf2").symlink_to("nowhere.sf2")
    write_soundfont(fonts / "a.sf3", PATCHES[:1], compressed=True)
    (fonts / ".hidden.sf2").write_text("nothing")
    (fonts / "folder.sf2").mkdir()
    source = open_source(fonts)
    assert len(source) == 4
    faults = dict(source.faults)
    assert sorted(faults) == ["a.sf3", "cut.sf2", "lost.sf2"]
    assert "not a complete SoundFont" in faults["cut.sf2"]
    assert "same name as a.sf2" in faults["a.sf3"]
    for name in ("a.sf2", "a.sf3", "b.sf2"):
        (fonts / name).unlink()
    with pytest.raises(SourceError, match=r"nothing in fonts can be opened: .*cut\.sf2 .*lost\.sf2"):
        open_source(fonts)


def test_soundfonts_and_sfz_stand_side_by_side(shelf: Path) -> None:
    write_sfz(shelf / "fonts" / "more")
    source = open_source(shelf / "fonts")
    assert [one.name for one in source][-1] == "Oboe"
    assert len(source) == 5


def test_several_sources_are_one_after_the_other(font: Path, few: FakeSource) -> None:
    fakes = FakeSource(FakeInstrument("Last"), faults=(("x.wav", "is broken"),))
    both: InstrumentSource = CombinedSource(
        "both", [few, SoundFontSource(font), fakes], [("y.sf2", "is cut")]
    )
    assert len(both) == 3 + 7 + 1
    assert [one.name for one in both][::10] == ["Pure", "Last"]
    assert both.faults == (("y.sf2", "is cut"), ("x.wav", "is broken"))
    assert both.files == (font,)


def test_what_a_source_could_not_use_is_reported_by_enrollment(
    index: InstrumentIndex, pair: EncoderPair
) -> None:
    library = index.libraries.create("Some").id
    source = FakeSource(FakeInstrument("Pure"), faults=(("x.sf2", "is cut"),))
    assert enroll(index, pair, library, source).skipped == [("x.sf2", "is cut")]
    with pytest.raises(SourceError, match=r"x\.sf2: is cut"):
        enroll(index, pair, library, FakeSource(FakeInstrument("Mute", None), faults=(("x.sf2", "is cut"),)))


def test_other_things_are_refused_naming_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "empty").mkdir()
    (tmp_path / "lost.wav").symlink_to("nowhere.wav")
    for name in ("notes.txt", "missing.wav", "empty", "lost.wav"):
        with pytest.raises(SourceError) as caught:
            open_source(tmp_path / name)
        assert ".wav" in str(caught.value.limit)


def test_damaged_sources_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "cut.sf2").write_bytes(soundfont_bytes()[:2000])
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "index.jsonl").write_text("no json")
    write_nsynth(tmp_path / "nsynth-train", [])
    (tmp_path / "silent").mkdir()
    sf.write(tmp_path / "silent" / "a.wav", np.zeros(100), 16_000)
    for name, words in {
        "cut.sf2": "complete SoundFont",
        "bank": "line 1",
        "nsynth-train": "no NSynth",
    }.items():
        with pytest.raises(SourceError, match=words):
            open_source(tmp_path / name)
    (silent,) = open_source(tmp_path / "silent")
    with pytest.raises(SourceError, match="silent"):
        silent.clips(16_000, 16_000)
