"""Hostile files over HTTP: each is refused in words or left out, what came with it is answered, and none is a 500."""

from pathlib import Path

import httpx

from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import audio, mixture, tone, zipped
from tests.fuzz.campaign import run
from tests.fuzz.corpus import PLAYLISTS
from tests.index.test_decode_workers import write_hole

SFZ = b"<region> sample=../../../../../../etc/passwd <region> sample=tone.wav"


def test_a_slow_file_of_a_batch_is_a_problem_of_its_own(tmp_path: Path, pair: EncoderPair) -> None:
    slow = write_hole(tmp_path / "slow.wav", seconds=15_000, rate=1_000, channels=1)  # to 16 kHz: seconds
    with running(tmp_path / "data", pair, decode_seconds=1.0, max_decoded_seconds=1e6) as client:
        client.post("/v1/libraries", json={"name": "One"})
        assert enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))["state"] == "done"
        sent = [("files", ("slow.wav", slow.read_bytes())), ("files", ("song.wav", mixture(1.0)))]
        first, second = client.post("/v1/queries/batch", files=sent).json()["results"]
        assert first["problem"]["type"] == "urn:showme:problem:decoding-stopped"
        assert (first["problem"]["status"], first["problem"]["limit"]) == (422, 1.0)
        assert "slow.wav was not decoded in 1 s" in first["problem"]["detail"]
        assert second["query"]["num_instruments"] >= 0
        body = problem(client.post("/v1/queries", files={"file": sent[0][1]}), 422, "decoding-stopped")
        assert body["limit"] == 1.0
        text = client.get("/metrics").text
        assert 'showme_decode_workers_killed_total{reason="time"} 2.0' in text
        assert 'showme_decode_workers_killed_total{reason="crash"} 0.0' in text
        assert list((tmp_path / "data/tmp").iterdir()) == []


def test_what_leads_elsewhere_leads_nowhere(client: httpx.Client) -> None:
    client.post("/v1/libraries", json={"name": "Hostile"})
    for content in PLAYLISTS:
        for name in ("list.m3u", "list.wav", "list.m4a", "\u202evaw.exe\n.mp3"):
            answer = client.post("/v1/queries", files={"file": (name, content)})
            assert answer.status_code in (409, 415, 422), answer.text
            answer = client.post("/v1/libraries/Hostile/instruments", files={"files": (name, content)})
            assert answer.status_code in (415, 422), answer.text
            assert "root:" not in answer.text
    inner = zipped({"Bass/a.wav": audio(tone(110.0))})
    bank = zipped(
        {"b/a.sfz": SFZ, "b/tone.wav": audio(tone(220.0)), "b/inner.zip": inner, "b/\u202egnp.wav": b"x"}
    )
    job = enrolled(
        client, "Hostile", ("bank.zip", bank), ("nested.zip", zipped({"A/a.wav": mixture(), "x.zip": inner}))
    )
    assert job["state"] == "done"
    names = [one["name"] for one in client.get("/v1/libraries/Hostile/instruments").json()["items"]]
    assert sorted(names) == ["A", "a"]
    assert any("outside" in one["reason"] for one in job["skipped"])


def test_a_few_hundred_mutations_are_accepted_or_refused_in_words() -> None:
    """`python -m tests.fuzz` runs a hundred thousand."""
    report = run(300, seed=7, http_every=10_000)
    assert report.tries == 300
    assert report.faults == []
    assert not report.unexpected
    assert min(report.accepted.total(), report.refused.total()) > 30
