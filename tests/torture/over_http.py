"""Clients of a service that is going to be killed: they send operations, and enter in their books what they hear.

Each client has libraries of its own, so that at most one operation of each library is unfinished at any moment.
"""

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import httpx
import numpy as np

from tests.app.sounds import RATE, audio
from tests.torture.ledger import Journal, Operation, State, after
from tests.torture.operations import choose
from tests.torture.sounds import drawn_sound

NOT_OVER_HTTP = ("rebuild", "reembed", "purge", "sweep")
REFUSALS = ("busy", "job-conflict", "library-empty", "encoder-mismatch", "not-ready")
SOUND_SECONDS = 1.0


class Refused(RuntimeError):
    """The service has refused an operation for a reason that it may have."""


class Unexpected(RuntimeError):
    """The service has answered as it must not."""


class Client(threading.Thread):
    """Sends operations about its own libraries until the service is gone; `queries` are the answers that it heard."""

    def __init__(self, url: str, state: State, encoder: int, seed: int, journal: Path) -> None:
        """`encoder` is the number of the service's, which embeds what is enrolled."""
        super().__init__(daemon=True)
        self.state = state
        self.pending: list[Operation] = []
        self.faults: list[str] = []
        self.queries: dict[str, str] = {}
        self.num_done = 0
        self._url = url
        self._encoder = encoder
        self._rng = np.random.default_rng(seed)
        self._journal = Journal(journal)

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self._url, timeout=60.0) as http:
                while True:
                    self._attempt(http, choose(self.state, self._rng, NOT_OVER_HTTP))
        except httpx.TransportError:
            pass  # it was killed
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")
        finally:
            self._journal.close()

    def _attempt(self, http: httpx.Client, operation: Operation) -> None:
        if operation.kind == "enroll":
            operation = replace(operation, family=None)  # an upload names none
        operation = replace(operation, encoder=self._encoder)
        self._journal.write({"begin": vars(operation)})
        self.pending, before = [operation], self.state
        try:
            result = self._perform(http, operation)
        except Refused:
            self.pending = []
            sleep(0.05)
            return
        self._journal.write({"done": result})
        self.state, self.pending = after(before, operation, result), []
        self.num_done += 1

    def _perform(self, http: httpx.Client, operation: Operation) -> dict[str, Any]:
        library, instrument = f"/v1/libraries/{operation.library}", f"/v1/instruments/{operation.instrument}"
        correction = {"name": operation.name, "family": operation.family}
        if operation.kind == "create":
            return {"library": asked(http, "POST", "/v1/libraries", json={"name": operation.name})["id"]}
        if operation.kind == "enroll":
            return self._enroll(http, operation)
        if operation.kind == "query":
            return self._query(http, operation)
        simple: dict[str, tuple[str, str, Any]] = {
            "correct": ("PATCH", instrument, correction),
            "delete": ("DELETE", instrument, None),
            "restore": ("POST", f"{instrument}/restore", None),
            "rename": ("PATCH", library, {"name": operation.name}),
            "delete library": ("DELETE", library, None),
            "restore library": ("POST", f"{library}/restore", None),
        }
        method, path, body = simple[operation.kind]
        asked(http, method, path, json=body)
        return {}

    def _enroll(self, http: httpx.Client, operation: Operation) -> dict[str, Any]:
        files = [("files", (f"{name}.wav", _sound(name))) for name in operation.names]
        path = f"/v1/libraries/{operation.library}/instruments"
        key = {"Idempotency-Key": operation.names[0]}
        job = asked(http, "POST", path, files=files, headers=key)
        while job["state"] in ("queued", "running"):
            sleep(0.01)
            job = asked(http, "GET", f"/v1/jobs/{job['id']}")
        if job["state"] != "done":
            raise Unexpected(f"an enrollment is {job['state']}: {job['message']}")
        self.state, self.pending = (
            after(self.state, operation),
            [],
        )  # stored, under ids that are asked for now
        found = asked(http, "GET", path, params={"limit": 100})["items"]
        return {"ids": {one["name"]: one["id"] for one in found if one["name"] in operation.names}}

    def _query(self, http: httpx.Client, operation: Operation) -> dict[str, Any]:
        file = ("song.wav", _sound(operation.name))
        answer = asked(http, "POST", "/v1/queries", files={"file": file}, data={"library": operation.library})
        self.queries[answer["id"]] = content_of(answer)
        return {}


def asked(http: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """Return the document of an answer, None without one. Raises Refused and Unexpected."""
    answer = http.request(method, path, **options)
    if answer.is_success:
        return answer.json() if answer.content else None
    slug = answer.json().get("type", "").rpartition(":")[2]
    if slug in REFUSALS:
        raise Refused(slug)
    raise Unexpected(f"{method} {path} is answered with {answer.status_code}: {answer.text}")


def content_of(document: dict[str, Any]) -> str:
    """Return a hash of a query's answer, without what is added when it is read again."""
    kept = repr([document[key] for key in ("id", "name", "instruments", "slots")])
    return hashlib.sha256(kept.encode()).hexdigest()


def _sound(name: str) -> bytes:
    number = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return audio(drawn_sound(number, 1.0, int(SOUND_SECONDS * RATE), RATE))
