"""The service ranks over HTTP as the evaluation measures: shipped encoders, presets of the default SoundFont."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile as sf

from index.instrument_index import InstrumentIndex
from index.retrieval import encode_samples, lane_evidence
from index.search_space import SearchSpace
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontPlayer
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, running
from training.compose import compose
from training.evaluation.served import answer

PROGRAMS = (0, 6, 11, 16, 19, 24, 33, 40, 46, 48, 56, 61, 65, 71, 73, 80)  # General MIDI, of sixteen timbres
NUM_MIXTURES = 20
SECONDS = 6.0


@pytest.fixture(scope="module")
def shipped() -> EncoderPair:
    return EncoderPair.load(device="cpu")


@pytest.fixture(scope="module")
def player(shipped: EncoderPair) -> SoundFontPlayer:
    return SoundFontPlayer(default_soundfont(), shipped.sample_rate)


def part(player: SoundFontPlayer, program: int, rng: np.random.Generator) -> np.ndarray:
    """A composed phrase of a preset, mono, at an RMS of 0.05."""
    wave = player.play(0, program, compose(rng), SECONDS)
    return np.asarray(0.05 * wave / max(float(np.sqrt(np.mean(wave**2))), 1e-6), np.float32)


def wav(wave: np.ndarray, sample_rate: int) -> bytes:
    """The samples as they are, in a WAV file of floats."""
    file = io.BytesIO()
    sf.write(file, wave, sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, shipped: EncoderPair, player: SoundFontPlayer
) -> Iterator[tuple[httpx.Client, Path]]:
    """A service whose library holds one recording of each preset."""
    folder = tmp_path_factory.mktemp("served")
    rng = np.random.default_rng(1)
    with running(folder, shipped) as client:
        client.post("/v1/libraries", json={"name": "Presets"})
        files = [(f"{one}.wav", wav(part(player, one, rng), shipped.sample_rate)) for one in PROGRAMS]
        assert enrolled(client, "Presets", *files)["state"] == "done"
        yield client, folder


def test_twenty_rendered_mixtures_are_ranked_over_http_as_the_evaluation_ranks_them(
    service: tuple[httpx.Client, Path], shipped: EncoderPair, player: SoundFontPlayer
) -> None:
    client, folder = service
    index = InstrumentIndex(folder, shipped.encoder_hash, shipped.embedding_dim)
    index.open()
    vectors = index.searchable("Presets")
    families = [row.family for row in vectors.rows]
    library = SearchSpace.of(vectors.store.vectors(vectors.store.ids), families, shipped.family)
    index.close()
    rng = np.random.default_rng(2)
    found_first = 0
    for number in range(NUM_MIXTURES):
        programs = rng.choice(PROGRAMS, 2 + number % 4, replace=False)
        wave = np.sum([part(player, int(one), rng) for one in programs], axis=0)
        slots = encode_samples(shipped, wave)[0]
        expected = answer(slots, library, shipped.presence_threshold)
        form = {"library": "Presets", "top_k": "5"}
        files = {"file": ("mixture.wav", wav(wave, shipped.sample_rate))}
        got = client.post("/v1/queries", data=form, files=files).json()
        ids = [row.instrument_id for row in vectors.rows]
        assert [one["instrument_id"] for one in got["instruments"]] == [ids[i] for i in expected.ranking()]
        probabilities = [one["probability"] for one in got["instruments"]]
        assert probabilities == pytest.approx(expected.probability[expected.ranking()].tolist(), abs=1e-4)
        assert [one["slots"] for one in got["instruments"]] == [
            list(expected.tracks_of(int(i))) for i in expected.ranking()
        ]
        assert set(got["retrieved"]) == {ids[i] for i in expected.named}
        assert got["num_instruments"] == len(expected.tracks)
        for slot, similarity in zip(got["slots"], expected.similarity, strict=True):
            best = np.argsort(-similarity, kind="stable")[:5]
            assert [hit["instrument_id"] for hit in slot["hits"]] == [ids[i] for i in best]
        evidence = lane_evidence(expected, slots, library, vectors.num_clips)
        matches = shipped.calibrated_match().matches(evidence)
        assert [slot["match"]["word"] for slot in got["slots"]] == [match.word for match in matches]
        assert [slot["match"]["probability"] for slot in got["slots"]] == pytest.approx(
            [match.probability for match in matches], abs=1e-4
        )
        found_first += got["instruments"][0]["name"] in {str(one) for one in programs}
    assert found_first > NUM_MIXTURES / 2  # by chance, a fifth
