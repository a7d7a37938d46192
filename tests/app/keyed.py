"""A service that needs keys, and clients with keys that a second process, like the terminal, has made for it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.access.keys import AccessKeys, KeyInfo, KeyScope
from app.routes.uploads import SPOKEN
from index.catalog import AccessKey, Catalog
from index.libraries import utc_now
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, running
from tests.app.sounds import audio, mixture, tone
from tests.databases import catalogue_at

TONE = ("Mine.wav", audio(tone(220.0)))
FILE = {"file": ("secret song.wav", mixture(1.0))}


class Owned(NamedTuple):
    """All that one key has."""

    library: str
    instrument: str
    query: str
    job: str
    upload: str

    def at(self, template: str) -> str:
        names = {
            "library_id": self.library,
            "instrument_id": self.instrument,
            "query_id": self.query,
            "job_id": self.job,
            "upload_id": self.upload,
            "slot": "0",
        }
        return re.sub(r"\{(\w+)\}", lambda match: names[match[1]], template)


MISSING = Owned("l_000000000000", "i_000000000000", "q_000000000000", "j_000000000000", "u_000000000000")


def made(client: httpx.Client, name: str = "Mine") -> Owned:
    """A library of one instrument, a query of it, and an upload that has begun."""
    library = client.post("/v1/libraries", json={"name": name}).json()["id"]
    job = enrolled(client, library, TONE)
    (instrument,) = client.get(f"/v1/libraries/{library}/instruments").json()["items"]
    query = client.post("/v1/queries", files=FILE, data={"library": library}).json()
    headers = SPOKEN | {"Upload-Length": "9", "Upload-Metadata": "filename YS53YXY="}
    upload = client.post("/v1/uploads", headers=headers).headers["location"].rpartition("/")[2]
    return Owned(library, instrument["id"], query["id"], job["id"], upload)


class KeyedService:
    """The service without a key (`stranger`), and clients of new keys."""

    def __init__(self, stranger: httpx.Client, catalog: Catalog, stack: ExitStack) -> None:
        self.stranger = stranger
        self.keys = AccessKeys(catalog)
        self._catalog = catalog
        self._stack = stack

    def client(self, name: str, scope: KeyScope = "write", days: float | None = None) -> httpx.Client:
        """A client with a new key."""
        return self.client_of(self.keys.create(name, scope, days)[1])

    def client_of(self, secret: str) -> httpx.Client:
        """A client with this key."""
        headers = {"Authorization": f"Bearer {secret}"}
        client = httpx.Client(base_url=self.stranger.base_url, headers=headers, timeout=60)
        return self._stack.enter_context(client)

    def browser(self, secret: str) -> httpx.Client:
        """A browser on the page, signed in with this key."""
        headers = {"Origin": str(self.stranger.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        client = httpx.Client(base_url=self.stranger.base_url, headers=headers, timeout=60)
        self._stack.callback(client.close)
        answer = client.post("/v1/session", json={"key": secret})
        assert answer.status_code == 201, answer.text
        return client

    def expire(self, key: KeyInfo) -> None:
        """Let a key have expired a second ago."""
        with self._catalog.write() as session:
            session.get_one(AccessKey, key.id).expires_at = utc_now() - timedelta(seconds=1)

    def key_of(self, name: str) -> KeyInfo:
        (found,) = (key for key in self.keys.all() if key.name == name)
        return found


@contextmanager
def keyed(data_dir: Path, pair: EncoderPair, **changes: Any) -> Iterator[KeyedService]:
    """A service over `data_dir` that needs keys."""
    with running(data_dir, pair, **{"require_keys": True} | changes) as stranger, ExitStack() as stack:
        catalog = Catalog(catalogue_at(data_dir))
        stack.callback(catalog.close)
        yield KeyedService(stranger, catalog, stack)
