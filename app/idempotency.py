"""Idempotency keys: a request that is sent again with its key gets the first answer, and nothing is done twice.

Follows draft-ietf-httpapi-idempotency-key-header. An answer is stored in the transaction of what was done; a request that
failed has done nothing and may be sent again.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from index.catalog import AnsweredKey, Catalog
from index.leases import Clock
from index.libraries import utc_now
from models.errors import KeyInUse, KeyReused

KEEP_SECONDS = 24 * 3600.0
_CHUNK = 1 << 20  # bytes


class KeyedRequest(NamedTuple):
    """A request's key, the hash of its address and its form, and the access key that sends it."""

    key: str
    fingerprint: str
    key_id: str | None = None

    @property
    def stored(self) -> str:
        """The key as it is stored: each access key has its own ones."""
        return self.key if self.key_id is None else f"{self.key_id} {self.key}"

    @classmethod
    def of(cls, key: str, path: str, form: BaseModel, key_id: str | None = None) -> Self:
        """Hash the fields of a form, and of each file its name and its bytes; how they were sent does not matter."""
        digest = hashlib.sha256(path.encode())
        for name, value in form:
            for item in value if isinstance(value, list | tuple) else [value]:
                text = item.filename if isinstance(item, UploadFile) else item
                digest.update(f"\0{name}\0{text!r}\0".encode("utf-8", "backslashreplace"))
                if isinstance(item, UploadFile):
                    digest.update(_hash_of_file(item))
        return cls(key, digest.hexdigest(), key_id)


def _hash_of_file(upload: UploadFile) -> bytes:
    digest = hashlib.sha256()
    upload.file.seek(0)
    while chunk := upload.file.read(_CHUNK):
        digest.update(chunk)
    upload.file.seek(0)
    return digest.digest()


class AnsweredKeys:
    """The answers of the last `keep_seconds` by their keys, and the keys that are being answered. Thread-safe."""

    def __init__(self, catalog: Catalog, keep_seconds: float = KEEP_SECONDS, clock: Clock = utc_now) -> None:
        self._catalog = catalog
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._in_use: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def using(self, request: KeyedRequest | None) -> Iterator[None]:
        """Hold a request's key while it is answered. Raises KeyInUse if another request does."""
        if request is None:
            yield
            return
        with self._lock:
            if request.stored in self._in_use:
                raise _in_use(request)
            self._in_use.add(request.stored)
        try:
            yield
        finally:
            with self._lock:
                self._in_use.remove(request.stored)

    def first_answer(self, request: KeyedRequest | None) -> str | None:
        """Return the answer that the request got before; None without one. Raises KeyReused if it was another request."""
        if request is None:
            return None
        with self._catalog.session() as session:
            row = session.get(AnsweredKey, request.stored)
        if row is None or row.created_at <= self._horizon():
            return None
        if row.fingerprint != request.fingerprint:
            message = f"the Idempotency-Key {request.key!r} was used for a request with other content"
            raise KeyReused(message, value=request.key, limit="one request for each key, for 24 hours")
        return row.answer

    def store(self, session: Session, request: KeyedRequest | None, answer: str) -> None:
        """Keep the answer, in the transaction of what was done. Raises KeyInUse if another process was quicker."""
        if request is None:
            return
        row = session.get(AnsweredKey, request.stored)
        if row is not None and row.created_at > self._horizon():
            raise _in_use(request)
        new = AnsweredKey(key=request.stored, fingerprint=request.fingerprint, answer=answer)
        new.created_at = self._clock()
        session.merge(new)

    def sweep(self) -> None:
        """Delete the answers that are kept long enough."""
        with self._catalog.write() as session:
            session.execute(delete(AnsweredKey).where(AnsweredKey.created_at <= self._horizon()))

    def _horizon(self) -> datetime:
        return self._clock() - timedelta(seconds=self._keep_seconds)


def _in_use(request: KeyedRequest) -> KeyInUse:
    message = f"the first request with the Idempotency-Key {request.key!r} is still being answered; try again"
    return KeyInUse(message, value=request.key, limit="one request at a time for each key")
