"""The terminal of the commands: where they print, and how a user's error ends a command.

A user's error is one clear line on standard error and exit code 2, never a traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.errors import ShowMeError

USER_ERROR = 2
UNLIMITED = 100_000  # columns
out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn our own errors and unreadable files into one line and exit code 2, Ctrl-C into 130."""
    try:
        yield
    except ShowMeError as error:
        fail(error.sentence)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        err.print("stopped; nothing was left half done")
        raise typer.Exit(130) from None


def fail(message: str, code: int = USER_ERROR) -> None:
    """Print the message and end the command."""
    print_error(message)
    raise typer.Exit(code)


def print_error(message: str) -> None:
    """Print one line on standard error."""
    err.print(Text("showme: ", style="bold red") + Text(" ".join(message.split())), soft_wrap=True)


def print_table(table: Table) -> None:
    """Print the table as wide as the terminal; without one, in a pipe or a file, as wide as its contents."""
    (out if out.is_terminal else Console(width=UNLIMITED, highlight=False)).print(table)
