"""Note banks: instruments listed in the index file, their sound, and clear errors for damaged banks."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from index.sources.base import Floats, Note, is_playable
from index.sources.note_bank import SLOT_NOTES, NoteBankInstrument, NoteBankSource
from models.errors import SourceError
from tests.index.tiny_banks import SAMPLE_RATE, append_row, loudest_hz, slots, tone, write_slots


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    write_slots(tmp_path, "pad_1", "zyn", slots(), bank="Strings", name="Slow Pulse")
    write_slots(tmp_path, "low_1", "soundfont", slots(silent=(3, 4, 5, 6, 7)), gm_program=33, family="bass")
    return tmp_path


def play(instrument: NoteBankInstrument, *notes: Note) -> Floats:
    return instrument.play(notes, 5.0, SAMPLE_RATE)


def test_instruments_come_by_id_with_what_the_index_says(bank: Path) -> None:
    source = NoteBankSource(bank)
    assert [one.id for one in source] == ["low_1", "pad_1"]
    low, pad = source
    assert (low.name, low.family, low.gm_program, low.bank, low.folder) == (
        "low_1",
        "bass",
        33,
        None,
        "soundfont",
    )
    assert (pad.name, pad.family, pad.gm_program, pad.bank, pad.folder) == (
        "Slow Pulse",
        "string",  # its bank's name
        None,
        "Strings",
        "zyn",
    )
    assert (low.playable_range, pad.playable_range) == ((33, 53), (33, 81))
    assert is_playable(low)
    assert not low.is_recorded
    assert source.faults == ()
    assert source.files == (bank / "index.jsonl", bank / "soundfont/low_1.ogg", bank / "zyn/pad_1.ogg")
    assert len(source) == 2
    assert "pad_1" in source


@pytest.mark.parametrize(("pitch"), [33, 57, 60, 81])
def test_notes_sound_at_their_pitch(bank: Path, pitch: int) -> None:
    samples = play(NoteBankSource(bank).get("pad_1"), Note(pitch, 100, 0.0, 2.0))
    cents = 1200 * np.log2(loudest_hz(samples[:24_000]) / (440 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 8


def test_an_instrument_is_enrolled_and_previewed_within_its_range(bank: Path) -> None:
    clips = NoteBankSource(bank).get("low_1").clips(SAMPLE_RATE, 5 * SAMPLE_RATE)
    assert clips.shape == (8, 5 * SAMPLE_RATE)
    samples, sample_rate = NoteBankSource(bank).get("low_1").preview()
    assert sample_rate == 44_100
    assert np.abs(samples).max() == pytest.approx(10 ** (-3 / 20), rel=1e-4)


def test_slots_are_the_notes_as_they_are(bank: Path) -> None:
    source = NoteBankSource(bank)
    found = source.get("low_1").slots()
    assert len(found) == len(SLOT_NOTES)
    assert [slot is not None for slot in found] == [True] * 3 + [False] * 5
    for slot, original in zip(found[:3], slots(), strict=False):
        assert slot is not None
        assert slot.shape == (48_000,)
        assert np.corrcoef(slot, original)[0, 1] > 0.99
    instrument = source.get("low_1")
    play(instrument, Note(36, 100, 0.0, 3.0))
    again = instrument.slots()[0]
    assert again is not None
    assert found[0] is not None
    assert np.array_equal(again, found[0])  # playing fades a copy


def test_families_come_from_the_label_the_program_or_the_name(tmp_path: Path) -> None:
    rows: dict[str, tuple[str | None, dict[str, object]]] = {
        "a": ("reed", {"family": "reed", "gm_program": 0}),
        "b": ("brass", {"gm_program": 56, "name": "Violin"}),
        "c": ("synth_pad", {"gm_program": 90, "name": "Polysynth Lead"}),
        "d": ("organ", {"name": "Church Organ"}),
        "e": (None, {"name": "Whatever"}),
        "f": (
            "organ",
            {
                "source": "csound_gmbank",
                "bank": 127,
                "family": "mallet",
                "gm_program": 12,
                "name": "Pipe Organ",
            },
        ),
        "g": ("mallet", {"source": "csound_gmbank", "bank": 0, "family": "mallet", "gm_program": 12}),
    }
    for key, (_, fields) in rows.items():
        write_slots(tmp_path, key, "soundfont", slots(silent=range(1, 8)), **fields)
    source = NoteBankSource(tmp_path)
    assert {one.id: one.family for one in source} == {key: family for key, (family, _) in rows.items()}


def test_licences_come_from_the_row_or_the_source(tmp_path: Path) -> None:
    for key, fields in {
        "a": {"licence": "CC0-1.0", "source": "zyn"},
        "b": {"source": "opl3"},
        "c": {"source": "my own"},
    }.items():
        write_slots(tmp_path, key, "x", slots(silent=range(1, 8)), **fields)
    assert [one.licence for one in NoteBankSource(tmp_path)] == ["CC0-1.0", "CC-BY-SA-4.0", None]


def recorded_row(key: str, label: int, measured: object) -> dict[str, object]:
    row: dict[str, object] = {
        "id": key,
        "file": f"recorded/{key}/{label}.ogg",
        "source": "test",
        "dynamic": "forte",
    }
    return row | {"midi_labelled": label, "midi_measured": measured}


def write_recorded(folder: Path, key: str, label: int, measured: float) -> Path:
    path = folder / f"recorded/{key}/{label}.ogg"
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, tone(measured), SAMPLE_RATE, format="OGG", subtype="VORBIS")
    append_row(folder, recorded_row(key, label, measured))
    return path


def test_recorded_notes_use_the_measured_pitch(tmp_path: Path) -> None:
    write_recorded(tmp_path, "tenor_horn", 60, 60.9)
    write_recorded(tmp_path, "tenor_horn", 66, 67.0)
    append_row(tmp_path, recorded_row("tenor_horn", 90, 90.0))  # its file is not there
    (horn,) = NoteBankSource(tmp_path)
    assert (horn.name, horn.family, horn.is_recorded) == ("tenor horn", "brass", True)
    assert horn.playable_range == (58, 70)
    assert horn.faults == (("recorded/tenor_horn/90.ogg", "does not exist"),)
    hz = loudest_hz(play(horn, Note(60, 100, 0.0, 2.0))[:24_000])
    assert abs(1200 * np.log2(hz / 261.6256)) < 8
    with pytest.raises(SourceError, match="not slots"):
        horn.slots()


def test_a_recording_cut_short_is_a_hole(tmp_path: Path) -> None:
    damaged = write_recorded(tmp_path, "horn", 60, 60.0)
    write_recorded(tmp_path, "horn", 61, 61.0)
    damaged.write_bytes(damaged.read_bytes()[:40])
    (horn,) = NoteBankSource(tmp_path)
    assert play(horn, Note(60, 100, 0.0, 1.0)).any()
    assert [what for what, _ in horn.faults] == ["recorded/horn/60.ogg"]


def test_damaged_silent_and_missing_instruments_are_named(bank: Path) -> None:
    write_slots(bank, "none_1", "zyn", slots(silent=range(8)))
    write_slots(bank, "gone_1", "zyn", slots()).unlink()
    (bank / "soundfont/low_1.ogg").write_bytes(b"OggS nothing of the kind")
    source = NoteBankSource(bank)
    assert [one.id for one in source] == ["low_1", "pad_1"]
    assert dict(source.faults) == {
        "none_1": "all its notes are silent",
        "gone_1": "zyn/gone_1.ogg does not exist",
    }
    low = source.get("low_1")
    for act in (lambda: play(low, Note(36, 100, 0.0, 1.0)), low.slots, low.preview):
        with pytest.raises(SourceError, match=r"low_1"):
            act()
    for key in ("none_1", "unknown"):
        with pytest.raises(SourceError, match=f"no instrument {key}"):
            source.get(key)


def test_a_file_cut_short_loses_its_last_notes_only(bank: Path) -> None:
    path = bank / "zyn/pad_1.ogg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pad = NoteBankSource(bank).get("pad_1")
    for pitch in (36, 78):
        assert play(pad, Note(pitch, 100, 0.0, 1.0)).any()
    lost = [what for what, _ in pad.faults]
    assert lost[:2] == ["note 78 at velocity 100", "note 71 at velocity 100"]
    assert "note 36 at velocity 100" not in lost


BROKEN_ROWS: dict[str, dict[str, object]] = {
    "id": {"id": "../up"},
    "id again": {"id": 7},
    "file": {"file": "../../secret.ogg"},
    "file again": {"file": None},
    "source": {"source": None},
    "peaks": {"peaks": [1.0] * 7},
    "peaks again": {"peaks": [1.0] * 7 + ["loud"]},
    "gm_program": {"gm_program": 500},
    "midi_measured": {"midi_measured": float("nan")},
    "name": {"name": ["x"]},
}


@pytest.mark.parametrize("broken", BROKEN_ROWS)
def test_rows_with_wrong_fields_are_named_by_their_line(bank: Path, broken: str) -> None:
    append_row(bank, {"id": "x", "file": "x.ogg", "source": "s", "peaks": [1.0] * 8} | BROKEN_ROWS[broken])
    source = NoteBankSource(bank)
    assert len(source) == 2
    ((where, reason),) = source.faults
    assert where == "index.jsonl, line 3"
    assert reason.startswith(broken.removesuffix(" again"))


@pytest.mark.parametrize("line", ["{", "[1, 2]", "null", '"text"', "\udcff", "[" * 5000])
def test_lines_that_are_no_rows_are_named(bank: Path, line: str) -> None:
    with (bank / "index.jsonl").open("a", errors="surrogateescape") as file:
        file.write(f"\n{line}\n")
    source = NoteBankSource(bank)
    assert len(source) == 2
    assert [where for where, _ in source.faults] == ["index.jsonl, line 4"]


def test_two_rows_of_one_id_are_a_fault(bank: Path) -> None:
    write_slots(bank, "pad_1", "zyn", slots())
    assert dict(NoteBankSource(bank).faults) == {"pad_1": "2 rows share one id"}


def test_a_folder_without_a_usable_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"index\.jsonl cannot be read"):
        NoteBankSource(tmp_path)
    (tmp_path / "index.jsonl").write_text("no json\n")
    with pytest.raises(SourceError, match=r"names no instrument; index\.jsonl, line 1"):
        NoteBankSource(tmp_path)
