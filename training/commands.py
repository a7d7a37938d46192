"""Errors of the training commands on the terminal, with the exit codes of `showme`: 0 for success, 2 for a user's mistake."""

import functools
import sys
from collections.abc import Callable

from models.errors import ShowMeError

Command = Callable[[list[str] | None], int]


def cli_errors(command: Command) -> Callable[..., int]:
    """Print our own errors as one line on stderr and return 2; the decorated command may be called without arguments."""

    @functools.wraps(command)
    def run(argv: list[str] | None = None) -> int:
        try:
            return command(argv)
        except ShowMeError as error:
            print(f"{error.title}: {error.message}", file=sys.stderr)
            return 2

    return run
