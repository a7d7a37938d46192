"""The contract: requests that schemathesis makes of our own OpenAPI document, alone and in sequences that follow its links.

No answer may have an undocumented status, another type or schema than documented, or a status from 500 on, and every error
must be a whole problem document. Requests are those that the document allows and those that it forbids.
"""

import json
from collections import Counter
from contextlib import suppress
from typing import Any

import hypothesis

from tests.encoders import random_pair
from tests.torture.outcome import Options, Outcome, skipped
from tests.torture.service_process import ServiceProcess
from tests.torture.stopping import fill

NAME = "contract"
TRIES, SHORT_TRIES = 60, 1  # requests of each kind for each operation, and sequences
STEPS = 8  # of a sequence, at most
REQUEST_SECONDS = 60.0
LONGEST_FAULT = 600
PROBLEM = "application/problem+json"
FIELDS = ("type", "title", "status", "detail", "instance", "request_id")


def attack(options: Options) -> Outcome:
    """Count each request as a try; equal faults of one operation are told once."""
    try:
        import schemathesis
    except ModuleNotFoundError:
        return skipped(NAME, "schemathesis is not installed (it is in the extra `dev`)")
    folder, pair = options.folder / "data", random_pair()
    fill(folder, pair)
    service = ServiceProcess(folder, lambda: pair)
    try:
        service.wait_until_ready()
        schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")  # of tus
        schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        asking = _Asking(options)
        found: Any
        for found in schema.get_all_operations():
            asking.about(found.ok())
        num_alone = asking.outcome.tries
        asking.in_sequences(schema.as_state_machine())
    finally:
        service.end()
    statuses = ", ".join(f"{status} {count:,}" for status, count in sorted(asking.statuses.items()))
    num_linked = asking.outcome.tries - num_alone
    asking.outcome.detail = f"{num_alone:,} requests alone, {num_linked:,} in sequences; answers: {statuses}"
    return asking.outcome


class _Asking:
    """Sends requests and judges the answers; a fault does not end it."""

    def __init__(self, options: Options) -> None:
        self.outcome = Outcome(NAME)
        self.statuses: Counter[int] = Counter()
        self._told: set[str] = set()
        self._settings = hypothesis.settings(
            max_examples=options.number(TRIES, SHORT_TRIES),
            deadline=None,
            database=None,
            derandomize=True,  # the same requests each time
            phases=[hypothesis.Phase.generate],
            stateful_step_count=STEPS,
            suppress_health_check=list(hypothesis.HealthCheck),
        )

    def about(self, operation: Any) -> None:
        """Make requests of one operation that are allowed, and requests that are not."""
        from schemathesis import GenerationMode

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @self._settings
            @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                self._judge(case, case.call(timeout=REQUEST_SECONDS))

            with suppress(hypothesis.errors.Unsatisfiable):  # nothing about this operation can be wrong
                ask()

    def in_sequences(self, machine: Any) -> None:
        """Make sequences of requests, in which later ones name what earlier ones have made."""
        judge = self._judge

        class Sequence(machine):
            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {"timeout": REQUEST_SECONDS}

            def validate_response(self, response: Any, case: Any, **_: Any) -> None:
                judge(case, response)

        Sequence.run(settings=self._settings)

    def _judge(self, case: Any, response: Any) -> None:
        from schemathesis.core.failures import Failure, FailureGroup

        self.statuses[response.status_code] += 1
        faults = _problem_faults(response)
        try:
            case.validate_response(response, checks=_checks())
        except (Failure, FailureGroup) as error:
            faults.append(str(error))
        where = f"{case.operation.label}, {response.status_code}"
        new = [fault for fault in faults if where + fault[:80] not in self._told]
        self._told |= {where + fault[:80] for fault in faults}
        self.outcome.count(where, [], [fault[:LONGEST_FAULT] for fault in new])


def _checks() -> list[Any]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    return [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]


def _problem_faults(response: Any) -> list[str]:
    """In what an error is no whole problem document."""
    if response.status_code < 400 or response.request.method == "HEAD":  # which has no body
        return []
    kind = (response.headers.get("content-type") or [""])[0]
    if kind != PROBLEM:
        return [f"an error of type {kind}"]
    document = json.loads(response.content)
    missing = [name for name in FIELDS if document.get(name) in (None, "")]
    wrong = [] if document.get("status") == response.status_code else ["status"]
    return [f"a problem document without {name}" for name in (*missing, *wrong)]
