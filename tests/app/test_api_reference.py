"""The API for people at /docs: every operation and document, without a script, and nothing from elsewhere."""

import re
from html.parser import HTMLParser

import httpx

from app.api_reference import render
from tests.app.keyed import KeyedService


class Parsed(HTMLParser):
    """The ids and links of a page, its elements, and whether all of them are closed."""

    EMPTY = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        assert "src" not in found
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_operation_and_document_is_described(client: httpx.Client) -> None:
    document, answer = client.get("/openapi.json").json(), client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Parsed(answer.text)
    assert not page.open
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert {one["operationId"] for one in operations} | document["components"]["schemas"].keys() <= set(
        page.ids
    )
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link == "/openapi.json" or link.removeprefix("#") in page.ids, link


def test_the_page_needs_nothing_else(client: httpx.Client) -> None:
    answers = [client.get("/docs") for _ in range(2)]
    nonces = {re.findall(r"<style nonce=\"(.+?)\">", answer.text)[0] for answer in answers}
    assert len(nonces) == 2
    policy = answers[0].headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")
    assert "script" not in policy
    page = Parsed(answers[0].text)
    assert not {"script", "link", "img", "iframe"} & set(page.elements)
    assert " style=" not in answers[0].text


def test_texts_are_escaped() -> None:
    hostile = "<script>alert(1)</script> `<b>`"
    operation = {
        "operationId": "one",
        "summary": hostile,
        "description": hostile,
        "tags": ["things"],
        "responses": {"200": {"description": hostile}},
    }
    document = {
        "info": {"title": hostile, "version": hostile, "description": hostile},
        "tags": [{"name": "things", "description": hostile}],
        "paths": {"/one": {"get": operation}},
        "components": {"schemas": {"Thing": {"description": hostile, "example": hostile}}},
    }
    page = render(document, "nonce")
    assert "<script" not in page
    assert "<code>&lt;b&gt;</code>" in page


def test_it_is_read_without_a_key(service: KeyedService) -> None:
    assert service.stranger.get("/docs").status_code == 200
    assert service.stranger.get("/docs/elsewhere").status_code == 401
