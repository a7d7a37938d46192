"""The terminal of the commands: where they print, and how a user's error ends a command.

A user's error is one clear line on standard error and exit code 2, never a traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from models.errors import ShowMeError

USER_ERROR = 2
out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn our own errors and unreadable files into one line and exit code 2, Ctrl-C into 130."""
    try:
        yield
    except ShowMeError as error:
        limit = (
            "" if error.limit is None or str(error.limit) in error.message else f" (allowed: {error.limit})"
        )
        fail(f"{error.message}{limit}")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        err.print("stopped; nothing was left half done")
        raise typer.Exit(130) from None


def fail(message: str, code: int = USER_ERROR) -> None:
    """Print the message and end the command."""
    line = Text("showme: ", style="bold red") + Text(" ".join(message.split()))
    err.print(line, soft_wrap=True)
    raise typer.Exit(code)
