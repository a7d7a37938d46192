"""Families over time: in the answer's lanes, by GET /v1/queries/{id}/timeline, and a reason where no network hears them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoder_pair import FRAME_LEVEL_FILE, TIMELINE_FILE, EncoderPair, timeline_files
from models.errors import CheckpointError
from models.recognition.frame_level import OUTPUT_SECONDS, FrameLevelConfig, FrameLevelNetwork
from models.recognition.frame_level_recogniser import FamilyTimeline, Floats, FrameLevelRecogniser
from models.recognition.timeline_model import TimelineModel
from tests.app.commands import write_weights
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import audio, mixture, tone
from tests.encoders import random_families, random_pair

CONFIG = FrameLevelConfig(families=("bass", "flute"), thresholds=(0.5, 0.5), pitch="none", source="none")
MODEL = TimelineModel(("bass", "flute"), 1.0, 0.5, (0.0, 0.0), (0.5, 0.5))
CPU = torch.device("cpu")


class HalfwayRecogniser(FrameLevelRecogniser):
    """Hears all families of the family model in the second half of what it is given, and nothing in the first; counts calls."""

    def __init__(self, families: tuple[str, ...]) -> None:
        self.families, self.calls = families, 0

    def timeline(self, samples: Floats, sample_rate: int, start_seconds: float = 0.0) -> FamilyTimeline:
        self.calls += 1
        frames = int(len(samples) / sample_rate / OUTPUT_SECONDS)
        share = np.repeat(np.arange(frames)[:, None] >= frames / 2, len(self.families), axis=1).astype(
            np.float32
        )
        return FamilyTimeline(self.families, (0.5,) * len(self.families), share, start_seconds)


@pytest.fixture(scope="module")
def hearing_pair() -> EncoderPair:
    pair = random_pair()
    pair.family = random_families(pair.embedding_dim)
    pair.frame_level = HalfwayRecogniser(pair.family.families)
    return pair


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory, hearing_pair: EncoderPair) -> Iterator[httpx.Client]:
    with running(tmp_path_factory.mktemp("timelines"), hearing_pair) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        yield client


def ask(client: httpx.Client, **fields: str) -> dict[str, object]:
    answer = client.post("/v1/queries", files={"file": ("song.wav", mixture(8.0))}, data=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_the_timeline_of_a_query_covers_its_range(hearing: httpx.Client) -> None:
    answer = ask(hearing, start_seconds="1", end_seconds="7")
    assert answer["timing_ms"]["timeline"] >= 0  # type: ignore[index]
    found = hearing.get(f"/v1/queries/{answer['id']}/timeline").json()
    assert (found["query"], found["start_seconds"]) == (answer["id"], 1.0)
    assert 9 < 1 / found["frame_seconds"] < 11
    assert found["num_frames"] * found["frame_seconds"] == pytest.approx(6.0, abs=0.2)
    for row in found["families"]:
        assert len(row["probabilities"]) == found["num_frames"]
        assert row["active"] == [[pytest.approx(4.0, abs=0.2), pytest.approx(7.0, abs=0.2)]]


def test_lanes_are_active_where_their_family_sounds(hearing: httpx.Client) -> None:
    answer = ask(hearing)
    for slot in answer["slots"]:  # type: ignore[attr-defined]
        if slot["family"] is not None and slot["active"][-1][1] > 4.2:
            assert slot["active"][0][0] >= 3.9
    published = ask(hearing, mode="paper")
    assert all(slot["active"] == [[0.0, 8.0]] for slot in published["slots"])  # type: ignore[attr-defined]


def test_a_timeline_is_kept_and_else_computed_again(
    hearing: httpx.Client, hearing_pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.timelines.KEPT", 1)
    recogniser = hearing_pair.frame_level
    assert isinstance(recogniser, HalfwayRecogniser)
    answers = [ask(hearing) for _ in range(2)]
    before = recogniser.calls
    last, first = (hearing.get(f"/v1/queries/{one['id']}/timeline").json() for one in reversed(answers))
    assert recogniser.calls == before + 1  # the first of them had been forgotten
    assert first["families"] == last["families"]
    problem(hearing.get("/v1/queries/q_000000000000/timeline"), 404, "query-not-found")


def test_what_slots_hear_counts_in_the_timeline(
    hearing: httpx.Client, hearing_pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hearing_pair.family is not None
    families = hearing_pair.family.families
    model = TimelineModel(families, 1.0, 0.0, (0.0,) * len(families), (0.1,) * len(families))
    monkeypatch.setattr(hearing_pair, "timeline", model)
    monkeypatch.setattr("app.timelines.KEPT", 0)
    answer = ask(hearing)
    found = hearing.get(f"/v1/queries/{answer['id']}/timeline").json()
    heard = {one["family"]: one["curve"] for one in answer["families"]}  # type: ignore[attr-defined]
    assert heard
    for row in found["families"]:
        assert row["threshold"] == 0.1
        told = np.array(row["probabilities"])
        if curve := heard.get(row["family"]):
            middle = (np.arange(len(told)) + 0.5) * found["frame_seconds"]
            assert told == pytest.approx(np.interp(middle, *np.array(curve).T), abs=0.002)
        else:
            assert told.max() < 0.1


def test_without_a_network_the_reason_is_told(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        answer = ask(client)
        refused = problem(client.get(f"/v1/queries/{answer['id']}/timeline"), 409, "recogniser-missing")
    assert "timeline" not in answer["timing_ms"]  # type: ignore[operator]
    assert refused["limit"] == FRAME_LEVEL_FILE


def test_a_network_beside_the_encoders_is_loaded_with_its_model(tmp_path: Path) -> None:
    weights = write_weights(tmp_path, with_family=True)
    assert EncoderPair.load(weights, "cpu").frame_level is None
    save_checkpoint(
        FrameLevelNetwork(CONFIG),
        CheckpointHeader("frame-level", CONFIG.to_dict()),
        weights / FRAME_LEVEL_FILE,
    )
    with pytest.raises(CheckpointError, match=TIMELINE_FILE):
        EncoderPair.load(weights, "cpu")
    MODEL.save(weights / TIMELINE_FILE, timeline_files(weights))
    pair = EncoderPair.load(weights, "cpu")
    assert pair.frame_level_recogniser().config == CONFIG
    assert pair.timeline == MODEL
    unfinished = FrameLevelConfig(families=("bass", "flute"), pitch="none", source="none")
    header = CheckpointHeader("frame-level", unfinished.to_dict())
    save_checkpoint(FrameLevelNetwork(unfinished), header, weights / FRAME_LEVEL_FILE)
    with pytest.raises(CheckpointError, match="no thresholds"):
        EncoderPair.load(weights, "cpu")


def test_long_recordings_are_heard_in_chunks_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        recogniser = FrameLevelRecogniser(FrameLevelNetwork(CONFIG), CPU, None)
    wave = (0.1 * np.random.default_rng(0).standard_normal(5 * 16_000)).astype(np.float32)
    whole = recogniser.timeline(wave, 16_000)
    monkeypatch.setattr("models.recognition.frame_level_recogniser.CHUNK_FRAMES", 7)
    parts = recogniser.timeline(wave, 16_000)
    assert whole.probability.shape == (47, 2)
    assert np.allclose(parts.probability, whole.probability, atol=0.01)
    assert recogniser.timeline(wave[:10], 16_000).probability.shape == (0, 2)
    assert recogniser.timeline(wave[:0], 16_000).spans("bass") == ()


def test_gaps_are_closed_and_short_spans_dropped() -> None:
    sounds = np.zeros((60, 1), np.float32)
    sounds[10:20] = sounds[22:30] = sounds[50:51] = 0.9
    timeline = FamilyTimeline(("bass",), (0.5,), sounds, start_seconds=2.0)
    (span,) = timeline.spans("bass")
    assert span == pytest.approx((2 + 10 * OUTPUT_SECONDS, 2 + 30 * OUTPUT_SECONDS))
    assert timeline.refined("bass", [(0.0, 4.0), (4.5, 9.0)]) == ((span[0], 4.0), (4.5, span[1]))
    assert timeline.refined("bass", [(7.0, 9.0)]) == ((7.0, 9.0),)  # heard nowhere in it
    assert timeline.refined("organ", [(0.0, 1.0)]) == timeline.refined(None, [(0.0, 1.0)]) == ((0.0, 1.0),)
