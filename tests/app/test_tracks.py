"""The history by track: queries about one upload belong together, and are renamed, found and deleted."""

from typing import Any

import httpx
import pytest

from tests.app.serving import problem
from tests.app.sounds import mixture


def ask(
    client: httpx.Client, again: str | None = None, name: str = "mix.wav", **fields: Any
) -> dict[str, Any]:
    files = None if again else {"file": (name, mixture())}
    answer = client.post("/v1/queries", files=files, data=fields | ({"query": again} if again else {}))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def history(client: httpx.Client, **params: Any) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in client.get("/v1/queries", params=params).json()["items"]}


@pytest.mark.both_databases
def test_queries_about_one_upload_share_its_track_and_its_name(own: httpx.Client) -> None:
    first = ask(own)
    second = ask(own, first["id"], start_seconds=1, family="bass")
    own.delete(f"/v1/queries/{first['id']}")
    third = ask(own, second["id"])
    other = ask(own)
    rows = history(own)
    assert {rows[one["id"]]["track"] for one in (second, third)} == {first["id"]}
    assert rows[other["id"]]["track"] == other["id"]
    assert (rows[second["id"]]["range_seconds"], rows[second["id"]]["family"]) == ([1.0, 3.0], "bass")
    assert (rows[third["id"]]["family"], rows[third["id"]]["duration_seconds"]) == (None, 3.0)
    renamed = own.patch(f"/v1/queries/{third['id']}", json={"name": " Rough mix "})
    assert renamed.json() == third | {"name": "Rough mix"}
    assert own.get(f"/v1/queries/{second['id']}").json() == second | {"name": "Rough mix"}
    assert history(own, search="MIX rough").keys() == {second["id"], third["id"]}
    assert history(own, search="mix.wav").keys() == {other["id"]}
    assert ask(own, second["id"])["name"] == "Rough mix"
    for part in ("audio", "parts"):
        assert own.get(f"/v1/queries/{third['id']}/{part}").status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": " "}, {"name": "x" * 201}, {"name": "a\nb"}])
def test_names_that_cannot_be(own: httpx.Client, body: dict[str, Any]) -> None:
    query = ask(own)
    problem(own.patch(f"/v1/queries/{query['id']}", json=body), 422, "invalid-request")
    problem(own.patch("/v1/queries/q_nothing", json={"name": "x"}), 404, "query-not-found")
    assert own.get(f"/v1/queries/{query['id']}").json() == query
