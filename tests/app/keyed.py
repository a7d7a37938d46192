"""A service that needs keys, and clients with keys that a second process, like the terminal, has made for it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.access.keys import AccessKeys, KeyInfo, KeyScope
from index.catalog import Catalog
from index.libraries import DataFolder
from models.encoder_pair import EncoderPair
from tests.app.serving import running


class KeyedService:
    """The service without a key (`stranger`), and clients of new keys."""

    def __init__(self, stranger: httpx.Client, keys: AccessKeys, stack: ExitStack) -> None:
        self.stranger = stranger
        self.keys = keys
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
        answer = client.post("/v1/session", json={"key": secret})
        assert answer.status_code == 201, answer.text
        self._stack.callback(client.close)
        return client

    def key_of(self, name: str) -> KeyInfo:
        (found,) = (key for key in self.keys.all() if key.name == name)
        return found


@contextmanager
def keyed(data_dir: Path, pair: EncoderPair, **changes: Any) -> Iterator[KeyedService]:
    """A service over `data_dir` that needs keys."""
    with running(data_dir, pair, **{"require_keys": True} | changes) as stranger, ExitStack() as stack:
        catalog = Catalog(DataFolder(data_dir).database)
        stack.callback(catalog.close)
        yield KeyedService(stranger, AccessKeys(catalog), stack)
