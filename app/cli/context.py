"""Opens the engine that a command works with, from the settings in the environment."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from app.cli.progress import EnrollmentProgress
from app.cli.terminal import err, fail
from app.engine import Engine
from app.settings import Settings


def read_settings() -> Settings:
    """Return the settings of the environment; end the command in one line for a value that is not valid."""
    try:
        return Settings()
    except ValueError as error:
        fail(f"a setting in the environment is not valid: {error}")
        raise


@contextmanager
def opened_engine(*, fill_default: bool = False, reconcile: bool = True) -> Iterator[Engine]:
    """Open the engine and close it again; `fill_default` first enrolls the default library, with a progress bar."""
    settings = read_settings()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with Engine(settings, reconcile=reconcile) as engine:
        if fill_default and engine.default:
            with EnrollmentProgress(err, f"enrolling {engine.default.name}") as progress:
                engine.fill_default(progress)
        yield engine
