"""The Python API: the same answers and errors as the service, on the same data folder."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import app
from app import Engine
from app.answering import ranked_out
from app.question import MAX_EXCLUDED, Question
from app.schemas import EXAMPLE_QUERY, QueryAnswer
from index.catalog import Instrument
from index.query import RankedInstrument
from index.records import Hit
from index.stored_embeddings import from_bytes
from models.encoder_pair import EncoderPair
from models.errors import CheckpointError, InvalidRequest, LibraryEmpty, LibraryNotFound, SourceError
from tests.app.serving import running, settings_for
from tests.app.sounds import TONES, audio, mixture, tone
from tests.encoders import random_pair
from tests.index.tiny_soundfont import PATCHES, write_soundfont


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four instruments."""
    path = tmp_path / "samples"
    path.mkdir()
    for name, hz in TONES.items():
        (path / f"{name}.wav").write_bytes(audio(tone(hz)))
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    path.write_bytes(mixture())
    return path


def engine_of(tmp_path: Path, pair: EncoderPair, **changes: Any) -> Engine:
    return Engine(settings_for(tmp_path / "data", **changes), pair)


def test_encoders_that_cannot_say_how_good_a_match_is_are_refused(tmp_path: Path) -> None:
    unreleased = random_pair()
    unreleased.match = None
    with pytest.raises(CheckpointError, match=r"python -m training.match"):
        engine_of(tmp_path, unreleased)
    assert not (tmp_path / "data").exists()


def test_a_python_answer_is_the_services_answer(
    tmp_path: Path, folder: Path, song: Path, pair: EncoderPair
) -> None:
    with engine_of(tmp_path, pair) as engine:
        library, report = engine.enroll(folder, "Mine")
        assert (library.name, library.num_instruments, len(report.added)) == ("Mine", 4, 4)
        assert engine.libraries() == [library]
        answer = engine.query(str(song), "Mine", mode="paper", start_seconds=0.5, family="bass")
        assert list((tmp_path / "data" / "tmp").iterdir()) == []
    assert (answer.name, answer.range_seconds) == ("song.wav", (0.5, 3.0))
    assert {hit.name for slot in answer.slots for hit in slot.hits} == {"Low Bass"}
    assert song.exists()
    with running(tmp_path / "data", pair) as client:
        assert client.get(f"/v1/queries/{answer.id}").json() == answer.model_dump(mode="json")
        assert client.get(answer.audio_url).content == song.read_bytes()
        fields = {"library": "Mine", "mode": "paper", "start_seconds": 0.5, "family": "bass"}
        asked = client.post("/v1/queries", files={"file": ("song.wav", mixture())}, data=fields).json()
    assert QueryAnswer.model_validate(asked).slots == answer.slots


def test_a_short_recording_is_enrolled_and_asked_as_if_it_were_repeated(
    tmp_path: Path, pair: EncoderPair
) -> None:
    once = tone(330.0, 1.5)
    samples = tmp_path / "samples"
    samples.mkdir()
    (samples / "short.wav").write_bytes(audio(once, pair.sample_rate))
    (samples / "whole.wav").write_bytes(audio(np.resize(once, pair.clip_samples), pair.sample_rate))
    with engine_of(tmp_path, pair) as engine:
        engine.enroll(samples, "Mine")
        with engine.index.catalog.session() as session:
            short, whole = (from_bytes(row.embedding) for row in session.query(Instrument))
        assert short @ whole == pytest.approx(1.0, abs=1e-5)
        answers = [engine.query(samples / name, "Mine") for name in ("short.wav", "whole.wav")]
    hits = [
        [hit.model_copy(update={"best_span": None}) for slot in answer.slots for hit in slot.hits]
        for answer in answers
    ]
    assert hits[0] == hits[1] != []


def test_open_takes_the_environment_for_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path / "environment"))
    monkeypatch.setenv("SHOWME_DEFAULT_LIBRARY", "none")
    with Engine.open(device="cpu") as engine:
        assert engine.settings.data_dir == tmp_path / "environment"
        assert engine.default is None
        assert engine.pair.device == "cpu"
    with Engine.open(tmp_path / "given", device="cpu", default_library=str(tmp_path / "My.sf2")) as engine:
        assert engine.default
        assert engine.default.name == "My"
    assert (tmp_path / "given" / "showme.db").is_file()
    with pytest.raises(ValueError, match="device"):
        Engine.open(device="abacus")


def test_the_default_library_is_enrolled_by_the_first_query_that_needs_it(
    tmp_path: Path, folder: Path, song: Path, pair: EncoderPair
) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:1])
    with engine_of(tmp_path, pair, default_library=str(font)) as engine:
        engine.enroll(folder, "Mine")
        engine.query(song, "Mine")
        assert [library.name for library in engine.libraries()] == ["Mine"]
        assert engine.query(song).library.name == "Studio"
        first = engine.libraries()
        assert engine.query(song).library.num_instruments == 1
        assert engine.libraries() == first


def test_a_failed_enrollment_leaves_nothing(tmp_path: Path, folder: Path, pair: EncoderPair) -> None:
    silent = tmp_path / "silent"
    silent.mkdir()
    (silent / "a.wav").write_bytes(audio(0 * tone(110.0)))
    with engine_of(tmp_path, pair) as engine:
        for path in (silent, tmp_path / "missing"):
            with pytest.raises((SourceError, OSError)):
                engine.enroll(path, "Mine")
        assert engine.libraries() == []
        engine.enroll(folder, "Mine")
        with pytest.raises(SourceError):
            engine.enroll(silent, "Mine")
        assert [library.num_instruments for library in engine.libraries()] == [4]


def test_queries_that_cannot_be_answered(tmp_path: Path, song: Path, pair: EncoderPair) -> None:
    with engine_of(tmp_path, pair, max_top_k=7) as engine:
        with pytest.raises(LibraryNotFound):
            engine.query(song)
        with pytest.raises(LibraryNotFound):
            engine.query(song, "nowhere")
        with pytest.raises(FileNotFoundError):
            engine.query(tmp_path / "missing.wav")
        with pytest.raises(InvalidRequest) as refused:
            engine.query(song, top_k=8)
        assert (refused.value.value, refused.value.limit) == (8, "1 to 7")
        engine.index.libraries.create("Empty")
        with pytest.raises(LibraryEmpty):
            engine.query(song)
        assert list((tmp_path / "data" / "queries").iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "value", "limit"),
    [
        ({"top_k": 0}, 0, 1),
        ({"top_k": "many"}, "many", "a whole number"),
        ({"mode": "psychic"}, "psychic", "'auto' or 'paper'"),
        ({"family": "kazoo"}, "kazoo", None),
        ({"start_seconds": -1}, -1, 0.0),
        ({"start_seconds": 1e300}, 1e300, 1e7),
        ({"end_seconds": float("nan")}, "nan", "a finite number"),
        ({"start_seconds": 2, "end_seconds": 2}, 2, 2.0),
        ({"library": "x" * 201}, None, 200),
        ({"exclude": ["i_x"] * (MAX_EXCLUDED + 1)}, None, MAX_EXCLUDED),
    ],
)
def test_a_question_says_which_value_is_wrong_and_what_is_allowed(
    fields: dict[str, Any], value: object, limit: object
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Question.model_validate(fields)
    assert [*fields][-1] in refused.value.message
    assert value is None or refused.value.value == value
    assert refused.value.limit == limit if limit is not None else refused.value.limit


def test_a_question_lists_every_wrong_value() -> None:
    with pytest.raises(InvalidRequest) as refused:
        Question(top_k=-3, start_seconds=-1.0)
    assert refused.value.message == (
        "start_seconds must be greater than or equal to 0; top_k must be greater than or equal to 1"
    )


def test_the_ranking_has_the_fields_of_a_hit() -> None:
    hit = Hit("i_1", "Kazoo", None, "a.wav", 0.83337, "reed")
    out = ranked_out(RankedInstrument(hit, 0.91239, (0, 2)))
    assert out.model_dump() == {
        "instrument_id": "i_1",
        "name": "Kazoo",
        "family": None,
        "recognised_family": "reed",
        "source": "a.wav",
        "similarity": 0.8334,
        "preview_url": "/v1/instruments/i_1/preview",
        "probability": 0.9124,
        "slots": [0, 2],
    }


def test_an_answer_survives_being_stored() -> None:
    answer = QueryAnswer.model_validate(EXAMPLE_QUERY)
    assert answer.model_dump(mode="json") == EXAMPLE_QUERY
    assert QueryAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_importing_the_package_and_the_commands_loads_no_heavy_library() -> None:
    script = "import app, app.cli, sys; print([m for m in ('torch', 'faiss', 'fastapi', 'sqlalchemy') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'Motor'"):
        app.Motor  # noqa: B018
