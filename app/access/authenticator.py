"""Checks keys and sessions, and slows down who guesses keys.

A key cannot be guessed, but nobody should try it at the speed of the service. Wrong keys are counted by the client's address.
A key that was right before is admitted whatever came from its address.
"""

import threading
from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import TypeVar

from app.access.keys import PREFIX, AccessKeys, KeyInfo, NewSession, digest_of
from models.errors import KeyRefused, TooManyAttempts

MAX_WRONG_KEYS = 10  # from one address, in WINDOW_SECONDS
WINDOW_SECONDS = 60.0
MAX_ADDRESSES = 10_000  # that are remembered; the oldest are forgotten first
MAX_RIGHT = 10_000  # digests
Found = TypeVar("Found", KeyInfo, NewSession)


class WrongKeys:
    """The moments of wrong keys in the last WINDOW_SECONDS, by client. Thread-safe; its memory is bounded."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._moments: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, client: str) -> None:
        """Raise TooManyAttempts if the client has sent too many wrong keys lately."""
        with self._lock:
            moments = self._moments.get(client)
            if moments is None or len(moments) < MAX_WRONG_KEYS:
                return
            wait = moments[0] + WINDOW_SECONDS - self._clock()
        if wait > 0:
            raise TooManyAttempts(MAX_WRONG_KEYS, WINDOW_SECONDS, wait)

    def count(self, client: str) -> None:
        """Count a wrong key."""
        with self._lock:
            moments = self._moments.pop(client, None) or deque(maxlen=MAX_WRONG_KEYS)
            moments.append(self._clock())
            self._moments[client] = moments  # the last one now
            if len(self._moments) > MAX_ADDRESSES:
                del self._moments[next(iter(self._moments))]


class Authenticator:
    """Finds the key of a secret or of a session. Thread-safe."""

    def __init__(self, keys: AccessKeys, wrong_keys: WrongKeys | None = None) -> None:
        self._keys = keys
        self._wrong_keys = wrong_keys or WrongKeys()
        self._right: set[str] = set()  # digests of keys that were right in this process

    def key_of(self, secret: str, address: str) -> KeyInfo:
        """Return the key with this secret. Raises KeyRefused, and TooManyAttempts without a look at the secret."""
        return self._guarded(secret, address, self._keys.find)

    def begin_session(self, secret: str, address: str) -> NewSession:
        """Begin a session with a key. Raises as `key_of` does."""
        return self._guarded(secret, address, self._keys.begin_session)

    def session_of(self, token: str) -> KeyInfo:
        """Return the key of a session. Raises KeyRefused if it has ended."""
        key = self._keys.find_session(token)
        if key is None:
            raise KeyRefused("the session has ended; sign in again", limit="a session that has not ended")
        return key

    def _guarded(self, secret: str, address: str, find: Callable[[str], Found | None]) -> Found:
        client, digest = _network_of(address), digest_of(secret)
        if digest not in self._right:
            self._wrong_keys.check(client)
        found = find(secret) if secret.startswith(PREFIX) else None
        if found is None:
            self._right.discard(digest)
            self._wrong_keys.count(client)
            message = "the key is not known here, or it has expired or been revoked"
            raise KeyRefused(message, limit="a key that `showme keys list` shows as valid")
        if len(self._right) >= MAX_RIGHT:
            self._right.clear()
        self._right.add(digest)
        return found


def _network_of(address: str) -> str:
    """Return what is counted together: an IPv4 address, or the 64 bits of an IPv6 network, which has one holder."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
    return str(parsed)
