"""Tags, favourites, the orders and the filters of a library's instruments, over HTTP."""

from typing import Any

import httpx
import pytest

from tests.app.serving import enrolled, problem
from tests.app.test_undo import FILES, instruments

ADDRESS = "/v1/libraries/One/instruments"


def change(client: httpx.Client, of: str, /, **changes: Any) -> dict[str, Any]:
    answer = client.patch(f"/v1/instruments/{instruments(client)[of]['id']}", json=changes)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(client: httpx.Client, limit: int = 2, **params: Any) -> list[str]:
    """The names on all pages of `limit` instruments."""
    names: list[str] = []
    following = None
    while True:
        page = client.get(
            ADDRESS, params=params | {"limit": limit} | ({"next": following} if following else {})
        )
        assert page.status_code == 200, page.text
        names += [row["name"] for row in page.json()["items"]]
        following = page.json()["next"]
        if following is None:
            return names


@pytest.mark.both_databases
def test_tags_and_favourites_are_kept_searched_and_filtered(own: httpx.Client) -> None:
    assert instruments(own)["Low Bass"]["tags"] == []
    tagged = change(own, "Low Bass", tags=[" Warm  sound", "dusty", "WARM sound"], favourite=True)
    assert (tagged["tags"], tagged["favourite"]) == (["Warm sound", "dusty"], True)
    assert change(own, "Low Bass", family="organ")["tags"] == ["Warm sound", "dusty"]
    change(own, "Soft Flute", tags=["Größe"])
    for search, expected in (
        ("bass low", ["Low Bass"]),
        ("DUST", ["Low Bass"]),
        ("sound bass", ["Low Bass"]),
        ("dusty flute", []),
        ("größe", ["Soft Flute"]),
        ("100%", []),
    ):
        assert listed(own, search=search) == expected, search
    assert listed(own, favourite=True) == ["Low Bass"]
    assert change(own, "Low Bass", tags=[], favourite=False)["tags"] == []
    assert listed(own, favourite=True) == listed(own, search="dusty") == []


@pytest.mark.both_databases
def test_every_order_lists_each_instrument_once(own: httpx.Client) -> None:
    in_order = listed(own)
    assert listed(own, sort="newest") == in_order[::-1]
    change(own, "Soft Flute", name="a flute", family=None)
    assert listed(own, sort="name") == ["a flute", *sorted({*in_order} - {"Soft Flute"})]
    rows = instruments(own)
    by_family = sorted(rows, key=lambda name: (rows[name]["family"] or "zz", name.lower()))
    assert listed(own, 1, sort="family") == by_family
    unknown = sorted(name for name, row in rows.items() if row["family"] is None)
    assert sorted(listed(own, family="unknown")) == unknown
    assert "a flute" in unknown
    problem(own.get(ADDRESS, params={"sort": "colour"}), 422, "invalid-request")
    problem(own.get(ADDRESS, params={"sort": "name", "next": "987654321"}), 422, "invalid-request")


def test_enrolling_the_source_again_keeps_marks(own: httpx.Client) -> None:
    change(own, "Low Bass", tags=["warm"], favourite=True)
    own.delete(f"/v1/instruments/{instruments(own)['Low Bass']['id']}")
    enrolled(own, "One", *FILES)
    again = instruments(own)["Low Bass"]
    assert (again["tags"], again["favourite"]) == (["warm"], True)


@pytest.mark.parametrize(
    "body",
    [
        {"tags": None},
        {"favourite": None},
        {"tags": ["a,b"]},
        {"tags": [" "]},
        {"tags": ["x" * 41]},
        {"tags": [f"tag {number}" for number in range(21)]},
        {"tags": ["a\nb"]},
        {"favourite": "perhaps"},
    ],
)
def test_marks_that_cannot_be(own: httpx.Client, body: dict[str, Any]) -> None:
    item = instruments(own)["Low Bass"]
    problem(own.patch(f"/v1/instruments/{item['id']}", json=body), 422, "invalid-request")
    assert instruments(own)["Low Bass"] == item
