"""What the training commands share on the terminal: one clear line for a user's mistake, and the commit that trained.

Follows the exit codes of the `showme` command: 0 done, 2 a mistake of the caller.
"""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from models.errors import ShowMeError

Command = Callable[[list[str] | None], int]


def guarded(command: Command) -> Callable[..., int]:
    """Turn our own errors into one line on stderr and exit status 2; the arguments may be left out."""

    @functools.wraps(command)
    def run(argv: list[str] | None = None) -> int:
        try:
            return command(argv)
        except ShowMeError as error:
            print(f"{error.title}: {error.message}", file=sys.stderr)
            return 2

    return run


def commit() -> str:
    """The checkout's commit, or "unknown" outside one."""
    folder = Path(__file__).parent
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else "unknown"
