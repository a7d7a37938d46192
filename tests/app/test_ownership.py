"""Whose libraries, queries and jobs are whose: other keys find nothing, in all the ways in which they may look."""

import re
from typing import Any

import httpx
import pytest

from tests.app.keyed import FILE, MISSING, TONE, KeyedService, Owned, made
from tests.app.serving import problem


def state(client: httpx.Client, mine: Owned) -> list[Any]:
    """All that another key could have changed."""
    paths = (
        f"/v1/libraries/{mine.library}",
        f"/v1/instruments/{mine.instrument}",
        f"/v1/queries/{mine.query}",
    )
    return [
        client.get(path).json()
        for path in (
            *paths,
            f"/v1/jobs/{mine.job}",
            "/v1/queries",
            f"/v1/libraries/{mine.library}/instruments",
        )
    ]


@pytest.fixture(scope="module")
def bob(service: KeyedService) -> httpx.Client:
    return service.client("bob")


@pytest.fixture(scope="module")
def admin(service: KeyedService) -> httpx.Client:
    return service.client("admin", "admin")


def request(client: httpx.Client, method: str, path: str) -> httpx.Response:
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "instruments"): {"files": {"files": TONE}},
        ("POST", "sources"): {"json": {"path": "/"}},
        ("PATCH", "uploads"): {"headers": {"Upload-Offset": "0"}},
        ("PATCH", "libraries"): {"json": {"name": "Stolen", "shared": True}},
        ("PATCH", "instruments"): {"json": {"name": "Stolen"}},
    }
    ends = path.rpartition("/")[2]
    noun = ends if ends in ("instruments", "sources") else path.split("/")[2]
    return client.request(method, path, **bodies.get((method, noun), {}))


def test_another_key_cannot_tell_a_library_from_none(
    service: KeyedService, alice: httpx.Client, bob: httpx.Client, mine: Owned
) -> None:
    """Every operation on what is alice's gives bob the very answer that it gives for what does not exist."""
    before, tried = state(alice, mine), 0
    for template, methods in service.stranger.get("/openapi.json").json()["paths"].items():
        if "{" not in template:
            continue
        for method in methods:
            there = request(bob, method.upper(), mine.at(template))
            missing = request(bob, method.upper(), MISSING.at(template))
            assert there.status_code == missing.status_code == 404, (method, template, there.text)
            bodies = []
            for answer, ids in ((there, mine), (missing, MISSING)):
                text = re.sub("|".join(ids), "ID", answer.text)
                bodies.append(re.sub(r'"request_id":"\w+"', "", text))
            assert bodies[0] == bodies[1], template
            tried += 1
    assert tried > 20
    assert state(alice, mine) == before


def test_lists_and_questions_hold_nothing_of_other_keys(
    service: KeyedService, alice: httpx.Client, bob: httpx.Client, mine: Owned
) -> None:
    assert bob.get("/v1/libraries").json()["items"] == []
    assert [one["name"] for one in alice.get("/v1/libraries").json()["items"]] == ["Mine"]
    assert bob.get("/v1/queries").json()["items"] == []
    for library in (mine.library, "Mine", "One"):  # One is that of the owner of the machine
        problem(bob.post("/v1/queries", files=FILE, data={"library": library}), 404, "library-not-found")
    problem(bob.post("/v1/queries", files=FILE), 404, "library-not-found")
    assert service.stranger.get("/readyz").json()["libraries"] == 0
    metrics = bob.get("/metrics").text
    assert mine.library not in metrics
    assert 'library="others"' in metrics


def test_one_name_may_be_used_by_several_keys(
    alice: httpx.Client, admin: httpx.Client, mine: Owned, service: KeyedService
) -> None:
    """A name that is taken would tell that there is a library."""
    carol = service.client("carol")
    for name in ("Mine", "One"):
        own = carol.post("/v1/libraries", json={"name": name})
        assert own.status_code == 201
        assert carol.get(f"/v1/libraries/{name}").json()["id"] == own.json()["id"]
        problem(carol.post("/v1/libraries", json={"name": name}), 409, "library-exists")
    assert alice.get("/v1/libraries/Mine").json()["id"] == mine.library
    spare = carol.post("/v1/libraries", json={"name": "Spare"}).json()["id"]
    problem(carol.patch(f"/v1/libraries/{spare}", json={"name": "Mine"}), 409, "library-exists")
    listed, after = [], None
    while True:  # no page ends between two of one name and loses one
        page = admin.get("/v1/libraries", params={"limit": 1} | ({"next": after} if after else {})).json()
        listed += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(listed) == len(set(listed)) >= 5
    for one in carol.get("/v1/libraries").json()["items"]:
        assert carol.delete(f"/v1/libraries/{one['id']}").status_code == 204


def test_another_query_or_instrument_cannot_be_smuggled_in(
    bob: httpx.Client, service: KeyedService, mine: Owned
) -> None:
    """Ids of alice's in the parameters of what is bob's own."""
    own = made(bob, "Bob's")
    try:
        problem(
            bob.post("/v1/queries", data={"query": mine.query, "library": own.library}),
            404,
            "query-not-found",
        )
        path = f"/v1/libraries/{own.library}/map"
        problem(bob.get(path, params={"query": mine.query}), 404, "query-not-found")
        for form in ("json", "zip"):
            params = {"format": form, "instruments": [mine.instrument]}
            answer = bob.get(f"/v1/queries/{own.query}/export", params=params)
            assert b"Mine.wav" not in answer.content
        item = bob.get(f"/v1/queries/{own.query}/export", params={"instruments": mine.instrument}).json()
        (exported,) = item["instruments"]
        assert (exported["gone"], exported["name"], exported["source"]) == (True, None, None)
        for slot in bob.get(f"/v1/queries/{own.query}").json()["slots"]:
            path = f"/v1/queries/{own.query}/slots/{slot['slot']}/render"
            problem(bob.get(path, params={"instrument": mine.instrument}), 404, "instrument-not-found")
        cursor = f"99999999999999999_{mine.query}"
        items = bob.get("/v1/queries", params={"next": cursor}).json()["items"]
        assert [one["id"] for one in items] == [own.query]
    finally:
        bob.delete(f"/v1/libraries/{own.library}")
        bob.delete(f"/v1/queries/{own.query}")


def test_an_idempotency_key_belongs_to_its_access_key(
    service: KeyedService, mine: Owned, alice: httpx.Client
) -> None:
    headers = {"Idempotency-Key": "once"}
    data = {"library": "Mine"}
    first = alice.post("/v1/queries", files=FILE, data=data, headers=headers).json()
    assert alice.post("/v1/queries", files=FILE, data=data, headers=headers).json()["id"] == first["id"]
    dave = service.client("dave")
    problem(dave.post("/v1/queries", files=FILE, data=data, headers=headers), 404, "library-not-found")
    made(dave)
    assert dave.post("/v1/queries", files=FILE, data=data, headers=headers).json()["id"] != first["id"]


def test_a_shared_library_is_read_by_all_and_changed_by_its_owner(
    service: KeyedService, alice: httpx.Client, admin: httpx.Client
) -> None:
    shared, erin = made(alice, "Shared"), service.client("erin")
    answer = alice.patch(f"/v1/libraries/{shared.library}", json={"shared": True})
    assert (answer.json()["shared"], answer.json()["writable"]) == (True, True)
    (seen,) = erin.get("/v1/libraries").json()["items"]
    assert (seen["name"], seen["writable"]) == ("Shared", False)
    assert erin.get(f"/v1/instruments/{shared.instrument}/preview").status_code == 200
    asked = erin.post("/v1/queries", files=FILE, data={"library": "Shared"}).json()
    assert asked["slots"]
    for method, path in (
        ("DELETE", f"/v1/libraries/{shared.library}"),
        ("PATCH", f"/v1/libraries/{shared.library}"),
        ("POST", f"/v1/libraries/{shared.library}/instruments"),
        ("POST", f"/v1/libraries/{shared.library}/reembed"),
        ("PATCH", f"/v1/instruments/{shared.instrument}"),
        ("DELETE", f"/v1/instruments/{shared.instrument}"),
    ):
        problem(request(erin, method, path), 403, "library-not-owned")
    problem(erin.get(f"/v1/jobs/{shared.job}"), 404, "job-not-found")
    problem(erin.get(f"/v1/queries/{shared.query}"), 404, "query-not-found")
    alice.delete(f"/v1/instruments/{shared.instrument}")
    problem(erin.post(f"/v1/instruments/{shared.instrument}/restore"), 404, "instrument-not-found")
    assert alice.post(f"/v1/instruments/{shared.instrument}/restore").status_code == 200
    assert alice.patch(f"/v1/libraries/{shared.library}", json={"shared": False}).status_code == 200
    problem(erin.get(f"/v1/libraries/{shared.library}"), 404, "library-not-found")
    (exported,) = erin.get(
        f"/v1/queries/{asked['id']}/export", params={"instruments": shared.instrument}
    ).json()["instruments"]
    assert exported["gone"]
    alice.delete(f"/v1/libraries/{shared.library}")
    problem(erin.post(f"/v1/libraries/{shared.library}/restore"), 404, "library-not-found")
    assert admin.post(f"/v1/libraries/{shared.library}/restore").json()["name"] == "Shared"


def test_admin_sees_and_changes_all(admin: httpx.Client, alice: httpx.Client, mine: Owned) -> None:
    assert {"One", "Mine"} <= {one["name"] for one in admin.get("/v1/libraries").json()["items"]}
    assert mine.query in {one["id"] for one in admin.get("/v1/queries").json()["items"]}
    assert admin.get(f"/v1/jobs/{mine.job}").status_code == 200
    answer = admin.patch(f"/v1/instruments/{mine.instrument}", json={"family": "bass"})
    assert answer.json()["family"] == "bass"
    assert admin.get(f"/v1/queries/{mine.query}/audio").status_code == 200


def test_a_change_needs_a_field(alice: httpx.Client, mine: Owned) -> None:
    for body in ({}, {"name": None}, {"shared": None}, {"shared": "maybe"}, {"key_id": "k_1"}):
        problem(alice.patch(f"/v1/libraries/{mine.library}", json=body), 422, "invalid-request")
