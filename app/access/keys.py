"""Access keys and the sessions of browsers that have signed in with one, in the catalogue.

A key is 256 random bits behind a prefix by which people and scanners of leaked secrets recognise it. Its SHA-256 is stored: a
slow hash protects what people choose from being guessed, but random bits are beyond guessing, and a slow hash would burden
every request. The same holds for the token in a session's cookie.
"""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, cast

from sqlalchemy import delete, select, update

from index.catalog import AccessKey, Catalog, SignIn
from index.deletions import record_deletion
from index.leases import Clock
from index.libraries import clean_name, utc_now
from models.errors import InvalidRequest, KeyNotFound

KeyScope = Literal["read", "write", "admin"]
SCOPES: tuple[KeyScope, ...] = ("read", "write", "admin")  # each may do what those before it may
PREFIX = "showme_"
MAX_KEY_NAME_LENGTH = 100
SESSION_SECONDS = 7 * 24 * 3600.0
_SECRET_BYTES = 32


@dataclass(frozen=True)
class KeyInfo:
    """An access key without its secret. `last_used_at` lags up to ten minutes behind a running service."""

    id: str
    name: str
    scope: KeyScope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


class NewSession(NamedTuple):
    """A session that begins: the token for the browser's cookie, and how long both last."""

    key: KeyInfo
    token: str
    seconds: float


class AccessKeys:
    """Creates, finds and revokes keys, and begins and ends sessions. Thread-safe; several processes may do so at once."""

    def __init__(
        self, catalog: Catalog, session_seconds: float = SESSION_SECONDS, clock: Clock = utc_now
    ) -> None:
        self._catalog = catalog
        self._session_seconds = session_seconds
        self._clock = clock
        self._used: dict[str, datetime] = {}  # written now and then: requests wait for no lock
        self._lock = threading.Lock()

    def create(self, name: str, scope: KeyScope, days: float | None = None) -> tuple[KeyInfo, str]:
        """Create a key that is valid for `days` (None: until it is revoked); the secret comes second, and never again.

        Raises InvalidRequest for an empty or overlong name, and for `days` that are not positive.
        """
        name = clean_name("a key's name", name, MAX_KEY_NAME_LENGTH)
        if days is not None and not 0 < days < 36_500:
            raise InvalidRequest(
                f"a key cannot be valid for {days:g} days", value=days, limit="above 0, below 36500"
            )
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        expires_at = None if days is None else self._clock() + timedelta(days=days)
        with self._catalog.write() as session:
            row = AccessKey(name=name, scope=scope, digest=digest_of(secret), expires_at=expires_at)
            row.created_at = self._clock()
            session.add(row)
            session.flush()
            return _info(row), secret

    def all(self) -> list[KeyInfo]:
        """Return all keys, the oldest first, revoked and expired ones too."""
        with self._catalog.session() as session:
            return [
                _info(row)
                for row in session.scalars(select(AccessKey).order_by(AccessKey.created_at, AccessKey.id))
            ]

    def has_valid(self) -> bool:
        """Whether there is a key that opens the service."""
        return any(key.is_valid(self._clock()) for key in self.all())

    def revoke(self, key_id: str) -> KeyInfo:
        """Make a key useless, and end its sessions. Raises KeyNotFound. One that is revoked already stays so."""
        with self._catalog.deleting() as session:
            row = session.get(AccessKey, key_id)
            if row is None:
                raise KeyNotFound(f"there is no key {key_id[:100]!r}", value=key_id[:100])
            if row.revoked_at is None:
                row.revoked_at = self._clock()
                record_deletion(session, "key", row.id)
            session.execute(delete(SignIn).where(SignIn.key_id == row.id))
            return _info(row)

    def is_valid(self, key_id: str) -> bool:
        """Whether this key still opens the service."""
        with self._catalog.session() as session:
            row = session.get(AccessKey, key_id)
        return row is not None and _info(row).is_valid(self._clock())

    def find(self, secret: str) -> KeyInfo | None:
        """Return the key with this secret, None if there is none, or it has expired or been revoked."""
        digest = digest_of(secret)
        with self._catalog.session() as session:
            row = session.scalars(select(AccessKey).where(AccessKey.digest == digest)).first()
        return self._used_key(row, row.digest, digest) if row else None

    def begin_session(self, secret: str) -> NewSession | None:
        """Begin a session, which ends after `session_seconds`, with its key, or when it is ended. None for a wrong secret."""
        key = self.find(secret)
        if key is None:
            return None
        token, now = secrets.token_urlsafe(_SECRET_BYTES), self._clock()
        ends_at = now + timedelta(seconds=self._session_seconds)
        ends_at = min(ends_at, key.expires_at) if key.expires_at else ends_at
        with self._catalog.write() as session:
            row = session.get(AccessKey, key.id)
            if row is None or row.revoked_at is not None:  # by another process, just now
                return None
            session.add(SignIn(digest=digest_of(token), key_id=key.id, created_at=now, expires_at=ends_at))
        return NewSession(key, token, (ends_at - now).total_seconds())

    def find_session(self, token: str) -> KeyInfo | None:
        """Return the key of a session, None if there is none, or it has ended."""
        digest = digest_of(token)
        begun = select(SignIn, AccessKey).join(AccessKey, SignIn.key_id == AccessKey.id)
        with self._catalog.session() as session:
            found = session.execute(begun.where(SignIn.digest == digest)).first()
        if found is None or found[0].expires_at <= self._clock():
            return None
        return self._used_key(found[1], found[0].digest, digest)

    def end_session(self, token: str) -> None:
        """End a session, if there is one."""
        with self._catalog.deleting() as session:
            session.execute(delete(SignIn).where(SignIn.digest == digest_of(token)))

    def sweep(self) -> None:
        """Delete sessions that have ended, and write down when keys were last used."""
        with self._lock:
            used, self._used = self._used, {}
        with self._catalog.write() as session:
            session.execute(delete(SignIn).where(SignIn.expires_at <= self._clock()))
            for key_id, moment in used.items():
                later = AccessKey.last_used_at.is_(None) | (AccessKey.last_used_at < moment)
                of_key = update(AccessKey).where(AccessKey.id == key_id, later)
                session.execute(of_key.values(last_used_at=moment))

    def _used_key(self, row: AccessKey, stored: str, digest: str) -> KeyInfo | None:
        """Return the key if it is valid. The database has compared the digests already, but not in constant time."""
        key, now = _info(row), self._clock()
        if not hmac.compare_digest(stored, digest) or key.scope not in SCOPES or not key.is_valid(now):
            return None
        with self._lock:
            self._used[key.id] = now
        return key


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret, as it is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _info(row: AccessKey) -> KeyInfo:
    times = row.created_at, row.last_used_at, row.expires_at, row.revoked_at
    return KeyInfo(row.id, row.name, cast(KeyScope, row.scope), *times)
