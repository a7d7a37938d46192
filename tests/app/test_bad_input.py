"""Bad input over HTTP: each kind gets a problem with value and limit, or a sensible answer; no files remain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import RATE, audio, mixture, tone

SILENCE = np.zeros(RATE, np.float32)
NAN = np.full(RATE, np.nan, np.float32)
INFINITE = np.where(np.arange(RATE) == 100, np.inf, tone(220.0, 1.0)).astype(np.float32)
PLAYLIST = b"ffconcat version 1.0\nfile '/etc/passwd'\n"

REFUSED = {
    "text": (b"these are words", 415, "not-audio"),
    "no bytes": (b"", 422, "empty-audio"),
    "zeros": (bytes(5000), 415, "not-audio"),
    "no samples": (audio(SILENCE[:0]), 422, "empty-audio"),
    "header only": (audio(tone(220.0))[:44], 422, "empty-audio"),
    "NaN": (audio(NAN, subtype="FLOAT"), 422, "non-finite-audio"),
    "infinity": (audio(INFINITE, subtype="FLOAT"), 422, "non-finite-audio"),
    "silence": (audio(SILENCE), 422, "silent-audio"),
    "playlist": (PLAYLIST, 415, "not-audio"),
    "half a header": (audio(tone(220.0))[:20], 415, "unsupported-audio"),
}
ANSWERED = {
    "truncated wav": (audio(tone(220.0))[:-3001], RATE),
    "truncated flac": (audio(tone(220.0, 4.0), form="FLAC")[:-9000], RATE),
    "truncated mp3": (audio(tone(220.0, 4.0), form="MP3")[:-6000], RATE),
    "one sample": (audio(np.array([0.5], np.float32)), RATE),
    "8 kHz": (audio(tone(220.0, rate=8_000), 8_000), 8_000),
    "192 kHz": (audio(tone(220.0, rate=192_000), 192_000), 192_000),
    "8 channels": (audio(np.stack([tone(110.0 * n) for n in range(1, 9)], axis=1)), RATE),
}


@pytest.fixture(scope="module")
def strict(
    tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair
) -> Iterator[tuple[httpx.Client, Path]]:
    """A service that decodes at most ten seconds, and its data folder."""
    folder = tmp_path_factory.mktemp("strict")
    with running(folder, pair, max_decoded_seconds=10.0) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        yield client, folder


def ask(client: httpx.Client, content: bytes, **fields: Any) -> httpx.Response:
    return client.post("/v1/queries", files={"file": ("upload.wav", content)}, data=fields)


def kept(folder: Path) -> set[str]:
    return {path.name for sub in ("queries", "tmp") for path in (folder / sub).iterdir()}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(strict: tuple[httpx.Client, Path], kind: str) -> None:
    client, folder = strict
    content, status, slug = REFUSED[kind]
    before = kept(folder)
    body = problem(ask(client, content), status, slug)
    assert body["value"] is not None
    assert body["limit"] is not None
    assert kept(folder) == before


@pytest.mark.parametrize("kind", ANSWERED)
def test_answered(strict: tuple[httpx.Client, Path], kind: str) -> None:
    content, _ = ANSWERED[kind]
    answer = ask(strict[0], content, mode="paper", top_k=1)
    assert answer.status_code == 200, answer.text
    assert answer.json()["slots"]
    assert 0 < answer.json()["duration_seconds"] <= 4.1


def test_hours_of_flac_stop_at_the_limit(strict: tuple[httpx.Client, Path]) -> None:
    client, folder = strict
    before = kept(folder)
    hour = audio(np.zeros(3600 * 8000, np.float32), 8_000, "FLAC")
    assert len(hour) < 1_000_000
    assert problem(ask(client, hour), 413, "audio-too-large")["limit"] == 10.0
    assert kept(folder) == before


def test_a_range_of_a_long_file_is_fine(strict: tuple[httpx.Client, Path]) -> None:
    answer = ask(strict[0], audio(tone(220.0, 30.0)), start_seconds=21, end_seconds=24)
    assert answer.status_code == 200
    assert answer.json()["range_seconds"] == [21.0, 24.0]
    assert answer.json()["duration_seconds"] == 30.0


PARAMETERS: list[tuple[dict[str, Any], int, str, Any]] = [
    ({"library": "nowhere"}, 404, "library-not-found", "nowhere"),
    ({"library": "l_000000000000"}, 404, "library-not-found", "l_000000000000"),
    ({"top_k": 0}, 422, "invalid-request", "0"),
    ({"top_k": -5}, 422, "invalid-request", "-5"),
    ({"top_k": 101}, 422, "invalid-request", 101),
    ({"top_k": 10**40}, 422, "invalid-request", None),
    ({"top_k": "many"}, 422, "invalid-request", "many"),
    ({"mode": "psychic"}, 422, "invalid-request", "psychic"),
    ({"family": "kazoo"}, 422, "invalid-request", "kazoo"),
    ({"start_seconds": -1}, 422, "invalid-request", "-1"),
    ({"start_seconds": "nan"}, 422, "invalid-request", "nan"),
    ({"end_seconds": "inf"}, 422, "invalid-request", "inf"),
    ({"start_seconds": 2, "end_seconds": 2}, 422, "invalid-request", "2"),
    ({"start_seconds": 2, "end_seconds": 1}, 422, "invalid-request", "1"),
    ({"start_seconds": 400}, 422, "range-outside-audio", 400.0),
    ({"start_seconds": 1e300}, 422, "invalid-request", "1e+300"),
    ({"start_seconds": 400, "end_seconds": 500}, 422, "range-outside-audio", 400.0),
]


@pytest.mark.parametrize(("fields", "status", "slug", "value"), PARAMETERS)
def test_parameters(
    strict: tuple[httpx.Client, Path], fields: dict[str, Any], status: int, slug: str, value: Any
) -> None:
    client, folder = strict
    before = kept(folder)
    body = problem(ask(client, mixture(), **fields), status, slug)
    assert value is None or body["value"] == value
    assert status == 404 or body["limit"] is not None
    assert kept(folder) == before


def test_every_wrong_field_is_listed(client: httpx.Client) -> None:
    body = problem(
        client.post("/v1/queries", data={"top_k": "x", "mode": "y", "start_seconds": "z"}),
        422,
        "invalid-request",
    )
    assert {error["field"] for error in body["errors"]} == {"start_seconds", "top_k", "mode"}


def test_a_text_field_is_not_a_file(client: httpx.Client) -> None:
    problem(client.post("/v1/queries", data={"file": "text"}), 422, "invalid-request")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"anything", "multipart/form-data"),
        (
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\xff\xfe\r\n--x--',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_malformed_bodies(client: httpx.Client, content: bytes, kind: str) -> None:
    answer = client.post("/v1/queries", content=content, headers={"content-type": kind})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "base64", "no-such-thing"])
def test_strange_charsets(client: httpx.Client, library: dict[str, Any], charset: str) -> None:
    field = b'--x\r\ncontent-disposition: form-data; name="library"\r\n\r\n\\ud800+2AA-\r\n'
    file = b'--x\r\ncontent-disposition: form-data; name="file"; filename="\\ud800.wav"\r\n\r\n' + mixture(
        1.0
    )
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = client.post("/v1/queries", content=field + file + b"\r\n--x--\r\n", headers=headers)
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\evil.wav", "\x00.wav", "a" * 500 + ".wav", ".wav", ""]
)
def test_odd_file_names(strict: tuple[httpx.Client, Path], name: str) -> None:
    client, folder = strict
    disposition = f'content-disposition: form-data; name="file"; filename="{name}"'.encode()
    content = b"--x\r\n" + disposition + b"\r\n\r\n" + mixture(1.0) + b"\r\n--x--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = client.post("/v1/queries", content=content, headers=headers)
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 200:
        shown = answer.json()["name"]
        assert len(shown) <= 100
        assert not set(shown) & set("/\\\x00")
        assert (folder / "queries" / f"{answer.json()['id']}.wav").is_file()
