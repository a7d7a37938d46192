"""Real recordings as instruments: which there are, on which side, and how they sound."""

import json
from pathlib import Path

import numpy as np
import pytest

from index.sources.base import Note, is_playable
from models.errors import SourceError
from tests.training.real.tiny_real import FILES, SAMPLE_RATE, write_real
from training.nlakh.instrument_selection import InstrumentCollection, place_in_split, silence_reason
from training.real.drum_kit import DrumKit, piece_of
from training.real.recordings import RecordedSound, is_excerpted
from training.real.rows import is_real_folder, read_rows
from training.real.source import RealSource


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_real(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def source(folder: Path) -> RealSource:
    return RealSource(folder)


def loudest_hertz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])


def test_a_folder_of_recordings_is_told_from_a_note_bank(folder: Path, tmp_path: Path) -> None:
    assert is_real_folder(folder)
    (tmp_path / "index.jsonl").write_text('{"id": "a", "file": "a.wav"}\n')
    assert not is_real_folder(tmp_path)
    assert not is_real_folder(tmp_path / "missing")


def test_each_file_serves_one_side_and_one_kind_of_instrument(source: RealSource) -> None:
    """Finished pieces and impulse responses are none; only training instruments have variants."""
    found = {instrument.id: instrument for instrument in source}
    originals = {key for key in found if not key.endswith(("+3", "-4"))}
    assert originals == {
        "real_notes_horn",
        "real_notes_harp",
        "real_drums_drummer_kit",
        "real_drums_gongs_loose_gong",
        "real_voice_speakers_speaker",
        "real_solo_solos_x_riff_wav",
        "real_solo_solos_y_tune_wav",
        "real_noise_fans_noise_fan",
    }
    varied = {key.rstrip("+3-4") for key in found.keys() - originals}
    assert varied == {key for key in originals if place(found[key]) == "train"}
    assert place(found["real_solo_solos_x_riff_wav"]) == "valid"
    assert {place(found[key]) for key in ("real_notes_harp", "real_solo_solos_y_tune_wav")} == {"test-real"}
    assert found["real_noise_fans_noise_fan"].family == "effect"


def place(instrument: object) -> str:
    found = place_in_split(instrument, {}, seed=1, valid_share=0.5)  # type: ignore[arg-type]
    assert found is not None
    return found.split


def test_no_test_group_trains(source: RealSource) -> None:
    test_groups = {group for _, _, _, _, group, side, *_ in FILES if side == "test"}
    for instrument in source:
        assert (instrument.source in test_groups) == (place(instrument) == "test-real")


def test_a_data_set_takes_all_of_them(folder: Path) -> None:
    collection = InstrumentCollection([folder])
    for instrument in collection:
        assert silence_reason(instrument) is None
        assert collection.renderable(instrument.id).id == instrument.id


def test_notes_sound_at_their_pitch_in_every_variant(source: RealSource) -> None:
    """The measured pitch is believed where it is sure, else the label."""
    for key, pitch in (("horn", 62), ("horn+3", 62), ("horn-4", 62), ("harp", 55)):
        instrument = source.get(f"real_notes_{key}")
        assert is_playable(instrument)
        samples = instrument.play([Note(pitch, 100, 0.0, 1.5)], 2.0, SAMPLE_RATE)
        wanted = 440 * 2 ** ((pitch - 69) / 12)
        assert abs(12 * np.log2(loudest_hertz(samples) / wanted)) < 0.3, key


def test_a_kit_strikes_the_piece_of_the_key(source: RealSource) -> None:
    kit = source.get("real_drums_drummer_kit")
    assert isinstance(kit, DrumKit)

    def struck(key: int, velocity: int = 100) -> np.ndarray:
        return kit.play([Note(key, velocity, 0.0, 0.1)], 1.0, SAMPLE_RATE)

    tones = [loudest_hertz(struck(key)[:3000]) for key in (36, 40, 42)]
    assert len({round(tone / 5) for tone in tones}) == 3
    assert np.array_equal(struck(35), struck(36))
    assert np.array_equal(struck(46), struck(42))  # an open hat that is not there
    soft, loud = (loudest_hertz(struck(38, velocity)[:3000]) for velocity in (40, 120))
    assert soft != loud  # of two recorded layers
    assert all(struck(key).any() for key in range(35, 82))


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("Open HH", "open hat"),
        ("hi-hat pedal (Paiste)", "pedal hat"),
        ("Tom Low", "low tom"),
        ("bd 808", "kick"),
        ("Snare Rock", "snare"),
        ("Stick Rim", "rim"),
        ("CrashClang#1", "crash"),
        ("swanee whistle", None),
    ],
)
def test_names_of_samples_tell_the_piece(name: str, piece: str | None) -> None:
    assert piece_of(name) == piece


@pytest.mark.parametrize(
    "key", ["voice_speakers_speaker", "voice_speakers_speaker-4", "solo_solos_x_riff_wav"]
)
def test_excerpts_sound_and_depend_on_the_generator_alone(source: RealSource, key: str) -> None:
    """A recording shorter than the clip is heard more than once."""
    cuts = []
    for _ in range(2):
        instrument = source.get(f"real_{key}")
        assert is_excerpted(instrument)
        cuts.append(instrument.excerpt(np.random.default_rng(3), 2.0, SAMPLE_RATE))
    assert cuts[0].shape == (2 * SAMPLE_RATE,)
    assert np.array_equal(cuts[0], cuts[1])
    late = cuts[0][-SAMPLE_RATE:]
    assert np.sqrt(np.mean(late**2)) > 0.01


def test_silent_recordings_are_refused_by_name(source: RealSource, folder: Path) -> None:
    rows = [row for row in read_rows(folder) if row.kind == "voice"]
    original = source.get("real_voice_speakers_speaker")
    assert isinstance(original, RecordedSound)

    def silent(row: object) -> tuple[np.ndarray, int]:
        return np.zeros(5 * SAMPLE_RATE, np.float32), SAMPLE_RATE

    def unreadable(row: object) -> tuple[np.ndarray, int]:
        raise SourceError("is cut short")

    for read, message in ((silent, "silent in"), (unreadable, "cut short")):
        broken = RecordedSound(original.identity, rows, read)
        with pytest.raises(SourceError, match=message):
            broken.excerpt(np.random.default_rng(0), 2.0, SAMPLE_RATE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "songs"}, "kind is 'songs'"),
        ({"split": "both"}, "split is 'both'"),
        ({"family": "kazoo"}, "family is 'kazoo'"),
        ({"file": "../../etc/passwd"}, "file is"),
        ({"seconds": "long"}, "could not convert"),
    ],
)
def test_a_bad_row_is_named_by_its_line(
    folder: Path, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    lines = (folder / "index.jsonl").read_text().splitlines()
    lines[4] = json.dumps({**json.loads(lines[4]), **change})
    (tmp_path / "index.jsonl").write_text("\n".join(lines))
    with pytest.raises(SourceError, match=f"line 5: .*{message}"):
        RealSource(tmp_path)
