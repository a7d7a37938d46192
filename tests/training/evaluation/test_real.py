"""The protocol `real` on a tiny folder: its queries, its sides, its tables, and the command that prints them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.retrieval import QuerySlots
from models.family import FamilyModel
from tests.encoders import random_families, random_pair
from tests.training.evaluation.test_protocols import check
from tests.training.real.tiny_real import FILES, SAMPLE_RATE, RealFile, write_real
from training.evaluation import real
from training.evaluation.real_context import EncodedQuery, RealContext
from training.evaluation.real_queries import PEAK, SECONDS, TAKES, RealQueries
from training.evaluation.recognised import heard_families
from training.evaluation.report import Table
from training.real.source import RealSource

MORE: tuple[RealFile, ...] = (
    ("notes/lute/057.wav", "notes", "lute", "guitar", "makers", "train", 1.5, {"midi_labelled": 57}),
    ("solos/y/chords.wav", "solos", "chords", "guitar", "stage", "test", 1.0, {}),
    ("solos/y/long.wav", "solos", "long", "reed", "stage", "test", 20.0, {}),
    ("solos/y/sounds.wav", "solos", "sounds", None, "stage", "test", 2.0, {}),
    ("solos/x/bow.wav", "solos", "bow", "string", "players", "train", 3.0, {}),
    ("voice/fr/b.wav", "voice", "other speaker", "vocal", "listeners", "test", 3.0, {}),
    ("drums/set/kick.wav", "drums", "Kick", "drum", "setmaker", "test", 0.3, {"kit": "Set"}),
    ("drums/set/snare.wav", "drums", "Snare", "drum", "setmaker", "test", 0.3, {"kit": "Set"}),
    ("drums/set/ride.wav", "drums", "Ride", "drum", "setmaker", "test", 0.6, {"kit": "Set"}),
    ("drums/loops/four.wav", "drums", "four beats", "drum", "setmaker", "test", 2.0, {"loop": True}),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_real(tmp_path_factory.mktemp("real"), (*FILES, *MORE))


@pytest.fixture(scope="module")
def context(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RealContext:
    cache = tmp_path_factory.mktemp("cache")
    pair = random_pair()
    pair.family = random_families(pair.embedding_dim)
    return RealContext(pair, folder, "test-real", cache=cache, num_mixtures=20)


@pytest.fixture(scope="module")
def tables(context: RealContext) -> dict[str, Table]:
    return {table.kind: table for table in real.tables(context)}


def queries_of(folder: Path, seed: int = 0) -> RealQueries:
    return RealQueries(RealSource(folder), "test-real", SAMPLE_RATE, seed)


def test_solos_are_those_of_a_known_family_of_one_side(folder: Path) -> None:
    found = {one.unit: one for one in queries_of(folder).solos()}
    assert {one.families for one in found.values()} == {("flute",), ("guitar",), ("reed",)}
    assert all(one.wave.shape == (SECONDS * SAMPLE_RATE,) for one in found.values())
    chords = found["real_solo_solos_y_chords_wav"].wave
    assert np.abs(chords[-2 * SAMPLE_RATE :]).max() > 0.1  # a second, repeated for fifteen
    validation = RealQueries(RealSource(folder), "validation", SAMPLE_RATE, 0)
    assert {one.families for one in validation.solos()} == {("guitar",), ("string",)}


def test_a_query_depends_on_its_recording_and_the_seed_alone(folder: Path, tmp_path: Path) -> None:
    fewer = write_real(tmp_path, (*FILES, *MORE[:3]))
    whole, again, part, other = (
        {one.unit: one.wave for one in queries_of(path, seed).solos()}
        for path, seed in ((folder, 0), (folder, 0), (fewer, 0), (folder, 1))
    )
    key = "real_solo_solos_y_chords_wav"
    assert all(np.array_equal(whole[name], again[name]) for name in whole)
    assert len(part) == len(whole) == 3
    assert np.array_equal(whole["real_solo_solos_y_tune_wav"], part["real_solo_solos_y_tune_wav"])
    assert not np.array_equal(whole[key], other[key])


def test_mixtures_are_of_different_families_within_six_decibels(folder: Path) -> None:
    queries = queries_of(folder)
    solos = queries.solos()
    of_family = {one.families[0]: one.wave for one in solos}
    for one in queries.mixtures(solos, 2, 12):
        assert len(set(one.families)) == 2
        assert np.abs(one.wave).max() == pytest.approx(PEAK, abs=1e-3)
        stems = np.stack([of_family[family] for family in one.families])
        gain = np.linalg.lstsq(stems.T, one.wave, rcond=None)[0]
        assert np.allclose(gain @ stems, one.wave, atol=1e-4)
    assert list(queries.mixtures(solos, 4, 5)) == []  # of three families


def test_a_kit_plays_beats_and_an_instrument_phrases(folder: Path) -> None:
    queries = queries_of(folder)
    beats = list(queries.beats())
    assert {one.unit for one in beats} == {"real_drums_setmaker_set"}
    assert len(beats) == TAKES
    assert not np.array_equal(beats[0].wave, beats[1].wave)
    phrases = list(queries.phrases(RealSource(folder).originals("test-real", "notes")))
    assert [one.families for one in phrases] == [("string",)] * TAKES
    for one in (*beats, *phrases, *queries.voices(), *queries.drum_loops()):
        assert one.wave.shape == (SECONDS * SAMPLE_RATE,)
        assert np.isfinite(one.wave).all()
        assert one.wave.any()


def test_every_sound_is_measured_in_both_libraries_beside_chance(tables: dict[str, Table]) -> None:
    assert list(tables) == ["solos", "mixtures", "families", "sounds", "instruments", "recognised"]
    for kind in ("solos", "mixtures", "sounds", "instruments"):
        check(tables[kind])
    methods = ("chance", "served", "single encoder")
    assert [row.name for row in tables["solos"].rows] == [
        f"solos · {library} · {method}" for library in ("TimGM6mb", "real library") for method in methods
    ]
    assert [row.name for row in tables["mixtures"].rows if not row.is_chance] == [
        f"{name} · {library} · served"
        for library in ("TimGM6mb", "real library")
        for name in ("duets", "trios", "duets and trios")
    ]
    served = next(row for row in tables["solos"].rows if row.name.endswith("TimGM6mb · served"))
    assert set(served.figures) == {"family_first", "family_five", "lane_family", "lanes", "count_error"}
    assert any(note.startswith("TimGM6mb: 136 instruments") for note in tables["solos"].notes)
    assert any("most frequent mistakes" in note for note in tables["solos"].notes)
    assert any(".75" in note and ".92" in note and ".80" in note for note in tables["solos"].notes)


def test_a_family_that_a_library_lacks_is_said_and_not_counted(tables: dict[str, Table]) -> None:
    """The real library holds a horn, a lute and a harp: no drums, no voices."""
    sounds = tables["sounds"]
    assert {row.name.rpartition(" · ")[0] for row in sounds.rows} == {
        *(f"{name} · TimGM6mb" for name in ("drum kits", "drum loops", "voices", "sampled notes")),
        "sampled notes · real library",
    }
    assert "drum kits: real library has no drum" in sounds.notes
    assert "solos: real library has no flute, reed" in tables["solos"].notes
    assert "recorded notes: 0 queries of 15 s, of 0 instruments" in sounds.notes
    assert {row.name.partition(" ")[0] for row in tables["families"].rows} == {"flute", "guitar", "reed"}


def test_instruments_are_found_among_those_enrolled(tables: dict[str, Table]) -> None:
    chance, served, single = tables["instruments"].rows
    assert chance.figures["instrument_1"].value == 1 / 3
    assert served.figures["instrument_5"].value == single.figures["instrument_5"].value == 1  # of three
    assert "lane_1" not in single.figures


def test_families_are_heard_without_a_library(tables: dict[str, Table]) -> None:
    found = tables["recognised"]
    names = ("solos", "duets", "trios", "drum kits", "drum loops", "voices", "sampled notes")
    assert [row.name for row in found.rows] == [
        f"{name} · {method}" for name in names for method in ("chance", "heard")
    ]
    alone = {"family_first", "family_five", "family_recall", "families_right", "count_error"}
    for row in found.rows:
        assert set(row.figures) == (
            alone if row.name[:5] not in ("duets", "trios") else alone - {"family_first", "family_five"}
        )
        assert all(figure.value <= 1 for name, figure in row.figures.items() if name != "count_error")


def test_what_is_told_is_what_is_likely_enough() -> None:
    one, other = np.eye(2, 4, dtype=np.float32)
    model = FamilyModel(
        ("flute", "guitar", "reed"),
        50 * np.eye(3, 4, dtype=np.float32),
        np.array([0.0, 0.0, -9.0], np.float32),
    )
    slots = QuerySlots(np.stack([one, other])[None], np.array([[0.9, 0.3]], np.float32))
    heard = heard_families(EncodedQuery(("flute", "reed"), "duet", slots, None), model)
    assert (heard.ranked, heard.lanes) == (("flute", "guitar", "reed"), ("flute",))


def test_validation_sees_no_test_instrument(context: RealContext, monkeypatch: pytest.MonkeyPatch) -> None:
    validation = replace(context, split="valid", notes=[Path("no such bank")])
    read = RealSource._read

    def guarded(self: RealSource, row: object) -> object:
        assert getattr(row, "side") == "train"  # noqa: B009
        return read(self, row)  # type: ignore[arg-type]

    monkeypatch.setattr(RealSource, "_read", guarded)
    found = list(real.tables(validation))
    assert [table.kind for table in found] == ["solos", "mixtures", "families", "recognised"]
    assert all(table.split == "valid" for table in found)
    assert validation.real_library.ids == ("real_notes_horn", "real_notes_lute")
