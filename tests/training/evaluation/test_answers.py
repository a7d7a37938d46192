"""The protocol `answers` on a folder of two recordings: the lanes are those that a query names, and bad folders are told."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.lane_families import most_probable
from index.query import run_query
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontInstrument, SoundFontSource
from models.audio import decode
from models.encoder_pair import EncoderPair
from models.errors import TrainingError
from tests.encoders import random_pair
from training.evaluation import answers, command
from training.evaluation.answers import labelled_recordings, lane_rows
from training.evaluation.enrolled_library import EnrolledLibrary, enroll_in_memory

PRESETS = ("#0:0", "#0:56", "#0:73", "#0:127")


class FewPresets(SoundFontSource):
    """Four presets of the default SoundFont, one of them a sound effect."""

    def __len__(self) -> int:
        return len(PRESETS)

    def __iter__(self) -> Iterator[SoundFontInstrument]:
        return (one for one in super().__iter__() if one.source.endswith(PRESETS))


@pytest.fixture(scope="module")
def pair() -> EncoderPair:
    return random_pair()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Path:
    out = tmp_path_factory.mktemp("recordings")
    time = np.arange(8 * pair.sample_rate) / pair.sample_rate
    for name, hz in (("low_tone.wav", 110.0), ("high.flac", 1760.0)):
        soundfile.write(out / name, 0.3 * np.sin(2 * np.pi * hz * time), pair.sample_rate)
    rows = [
        {"file": "recordings/low_tone.wav", "labels": ["bass", "hum"]},
        {"file": "high.flac", "labels": []},
    ]
    (out / answers.INDEX).write_text(json.dumps(rows))
    return out


@pytest.fixture
def library(pair: EncoderPair, tmp_path: Path) -> EnrolledLibrary:
    presets = FewPresets(default_soundfont())
    return enroll_in_memory(pair, presets.name, list(presets), presets.files, tmp_path / "cache")


def test_lanes_are_those_of_a_query(
    pair: EncoderPair, folder: Path, library: EnrolledLibrary, tmp_path: Path
) -> None:
    index = InstrumentIndex(tmp_path, pair.encoder_hash, pair.embedding_dim)
    index.open()
    enroll(index, pair, index.libraries.create("Presets").id, FewPresets(default_soundfont()))
    samples = decode(folder / "high.flac", sample_rate=pair.sample_rate).samples
    result, _ = run_query(index, pair, samples, library="Presets", top_k=answers.NAMED_HITS)
    index.close()
    rows = list(lane_rows(pair, library, samples))
    told = [
        f"{lane.slot + 1} {most_probable(lane.families)} ({lane.match.word}): {', '.join(hit.name for hit in lane.hits)}"
        for lane in result.slots
    ]
    assert [row.name for row in rows] == told
    assert told
    for row, lane in zip(rows, result.slots, strict=True):
        assert row.figures["presence"].value == pytest.approx(lane.presence, abs=1e-6)
        assert row.figures["match_probability"].value == pytest.approx(lane.match.probability, abs=1e-6)
    assert not any("Gun" in row.name for row in rows)


def test_each_recording_has_a_table_with_its_labels(
    pair: EncoderPair, folder: Path, library: EnrolledLibrary
) -> None:
    high, low = answers.tables(pair, folder, library)
    assert (low.kind, low.title) == ("low_tone", "low tone (bass, hum)")
    assert high.title == "high"
    assert "8 s, asked of" in low.notes[0]


@pytest.mark.parametrize("content", [None, "[", '{"a": 1}', '[{"file": "x.wav"}]'])
def test_a_folder_without_an_index_is_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / answers.INDEX).write_text(content)
    with pytest.raises(TrainingError, match=answers.INDEX):
        labelled_recordings(tmp_path)


def test_recordings_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--protocol", "answers"]) != 0
    assert "--recordings" in capsys.readouterr().err
