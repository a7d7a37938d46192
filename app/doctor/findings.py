"""A finding of the doctor: one line, with what to do where something is not right."""

from typing import Literal, NamedTuple

State = Literal["right", "note", "wrong"]


class Finding(NamedTuple):
    """A finding of a check: `wrong` would stop the service, `note` should be known. `message` names value and limit."""

    check: str
    state: State
    message: str
    advice: str = ""
