"""What other tools list and correct at once: the instruments of all libraries, the jobs of a key, and HEAD on previews."""

from typing import Any

import httpx
import pytest

from tests.app.keyed import TONE, KeyedService, Owned, made
from tests.app.serving import enrolled, problem
from tests.app.sounds import TONES, audio, tone

NAMES = set(TONES)


def pages(client: httpx.Client, address: str, limit: int, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    following: str | None = None
    while True:
        asked = params | {"limit": limit} | ({"next": following} if following else {})
        page = client.get(address, params=asked).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        following = page["next"]
        if following is None:
            return items


@pytest.fixture
def two(own: httpx.Client) -> httpx.Client:
    """A service with the four tones in `One`, and a fifth in `Two`."""
    own.post("/v1/libraries", json={"name": "Two"})
    assert enrolled(own, "Two", ("Deep Organ.wav", audio(tone(70.0))))["state"] == "done"
    return own


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_instruments_of_all_libraries_are_listed_page_by_page(two: httpx.Client, limit: int) -> None:
    items = pages(two, "/v1/instruments", limit)
    assert [one["name"] for one in items][-1] == "Deep Organ"
    assert {one["name"] for one in items} == NAMES | {"Deep Organ"}
    assert len({one["library_id"] for one in items}) == 2


def test_instruments_of_all_libraries_are_searched(two: httpx.Client) -> None:
    def found(**params: str) -> list[str]:
        return [one["name"] for one in two.get("/v1/instruments", params=params).json()["items"]]

    assert found(search="BASS") == ["Low Bass"]
    assert found(family="organ") == ["Deep Organ"]
    assert found(family="organ", search="bass") == []
    problem(two.get("/v1/instruments", params={"family": "tuba"}), 422, "invalid-request")
    library = two.get("/v1/libraries/Two").json()["id"]
    assert two.delete(f"/v1/libraries/{library}").status_code == 204
    assert "Deep Organ" not in found()


def test_instruments_are_corrected_together_across_libraries(two: httpx.Client) -> None:
    ids = [one["id"] for one in pages(two, "/v1/instruments", 50)]
    body = {"ids": [ids[4], ids[0], ids[4]], "changes": {"family": "reed"}}
    items = two.patch("/v1/instruments", json=body).json()["items"]
    assert [one["id"] for one in items] == [ids[4], ids[0]]
    assert {one["family"] for one in items} == {"reed"}
    reeds = two.get("/v1/instruments", params={"family": "reed"}).json()["items"]
    assert {one["id"] for one in reeds} == {ids[0], ids[4]}
    none = two.patch("/v1/instruments", json={"ids": ids, "changes": {"family": None}}).json()["items"]
    assert {one["family"] for one in none} == {None}


def test_a_correction_of_several_is_whole_or_nothing(two: httpx.Client) -> None:
    before = pages(two, "/v1/instruments", 50)
    ids = [one["id"] for one in before]
    missing = "i_000000000000"
    body = {"ids": [*ids, missing], "changes": {"family": "reed"}}
    assert problem(two.patch("/v1/instruments", json=body), 404, "instrument-not-found")["value"] == missing
    for wrong in (
        {"ids": [], "changes": {"family": "reed"}},
        {"ids": ids, "changes": {}},
        {"ids": ids, "changes": {"family": "tuba"}},
        {"ids": ids},
        {"ids": ["i"] * 501, "changes": {"family": "reed"}},
    ):
        problem(two.patch("/v1/instruments", json=wrong), 422, "invalid-request")
    assert pages(two, "/v1/instruments", 50) == before


def test_jobs_are_listed_newest_first(two: httpx.Client) -> None:
    for hz in (60.0, 65.0):
        assert enrolled(two, "Two", (f"{hz}.wav", audio(tone(hz))))["state"] == "done"
    jobs = pages(two, "/v1/jobs", 50)
    assert len(jobs) == 4
    assert [one["created_at"] for one in jobs] == sorted((one["created_at"] for one in jobs), reverse=True)
    assert pages(two, "/v1/jobs", 1) == pages(two, "/v1/jobs", 3) == jobs
    assert jobs[0] == two.get(f"/v1/jobs/{jobs[0]['id']}").json()
    for nonsense in ("nonsense", "1_q_000000000000", "1_j_"):
        problem(two.get("/v1/jobs", params={"next": nonsense}), 422, "invalid-request")


def test_a_preview_is_there_without_being_sent(two: httpx.Client) -> None:
    (first, *_) = pages(two, "/v1/instruments", 50)
    whole = two.get(first["preview_url"])
    head = two.head(first["preview_url"])
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "accept-ranges", "content-disposition"):
        assert head.headers[name] == whole.headers[name]
    assert two.head(first["preview_url"], headers={"Range": "bytes=0-9"}).status_code == 206
    missing = two.head("/v1/instruments/i_000000000000/preview")
    assert (missing.status_code, missing.content) == (404, b"")


def test_lists_hold_nothing_of_other_keys(service: KeyedService, alice: httpx.Client, mine: Owned) -> None:
    bob = service.client("bob of the lists")
    assert bob.get("/v1/instruments").json()["items"] == []
    assert bob.get("/v1/jobs").json()["items"] == []
    assert bob.get("/v1/jobs", params={"next": f"99999999999999999_{mine.job}"}).json()["items"] == []
    assert mine.instrument in {one["id"] for one in pages(alice, "/v1/instruments", 50)}
    assert {one["id"] for one in pages(alice, "/v1/jobs", 50)} == {mine.job}
    admin = service.client("admin of the lists", "admin")
    assert len(pages(admin, "/v1/instruments", 3)) >= 5
    assert mine.job in {one["id"] for one in pages(admin, "/v1/jobs", 1)}
    assert bob.head(f"/v1/instruments/{mine.instrument}/preview").status_code == 404


def test_a_job_at_a_library_of_the_key_is_listed(service: KeyedService) -> None:
    """As `GET /v1/jobs/{id}` shows it, whoever asked for it."""
    frank, admin = service.client("frank"), service.client("another admin", "admin")
    library = frank.post("/v1/libraries", json={"name": "Frank's"}).json()["id"]
    job = enrolled(admin, library, TONE)
    assert [one["id"] for one in pages(frank, "/v1/jobs", 50)] == [job["id"]]


def test_nothing_of_another_key_is_corrected(service: KeyedService, alice: httpx.Client, mine: Owned) -> None:
    grace = service.client("grace")
    own, body = made(grace, "Grace's"), {"changes": {"family": "reed"}}
    before = grace.get(f"/v1/instruments/{own.instrument}").json()
    both = body | {"ids": [own.instrument, mine.instrument]}
    problem(grace.patch("/v1/instruments", json=both), 404, "instrument-not-found")
    alice.patch(f"/v1/libraries/{mine.library}", json={"shared": True})
    problem(grace.patch("/v1/instruments", json=both), 403, "library-not-owned")
    alice.patch(f"/v1/libraries/{mine.library}", json={"shared": False})
    assert grace.get(f"/v1/instruments/{own.instrument}").json() == before
    reader = service.client("heidi", "read")
    problem(reader.patch("/v1/instruments", json=body | {"ids": [own.instrument]}), 403, "scope-too-small")
