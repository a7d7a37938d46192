"""Opens what a command needs (settings, index, encoders) and closes it again, without any HTTP.

The same parts as `app/service.py`, for one command in one process.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.cli.progress import EnrollmentProgress
from app.cli.terminal import err, fail
from app.default_library import DefaultLibrary
from app.service import open_index
from app.settings import Settings
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from models.encoder_pair import EncoderPair


@dataclass(frozen=True)
class Opened:
    settings: Settings
    index: InstrumentIndex
    pair: EncoderPair
    default: DefaultLibrary | None


def read_settings() -> Settings:
    """The settings of the environment; a value that is not valid is the user's mistake."""
    try:
        return Settings()
    except ValueError as error:
        fail(f"a setting in the environment is not valid: {error}")
        raise


@contextmanager
def opened(*, fill_default: bool = False, reconcile: bool = True) -> Iterator[Opened]:
    """Everything a command works with.

    `fill_default` enrolls the default library first if it is not there yet; without `reconcile` the vectors are left as
    they are found, for a command that looks for faults.
    """
    settings = read_settings()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    pair = EncoderPair.load(settings.weights_dir, settings.device)
    index = open_index(settings, pair, reconcile=reconcile)
    try:
        default = DefaultLibrary.of_setting(settings.default_library)
        if fill_default and default:
            _fill(index, pair, default)
        yield Opened(settings, index, pair, default)
    finally:
        index.close()


def _fill(index: InstrumentIndex, pair: EncoderPair, default: DefaultLibrary) -> None:
    to_fill = default.to_fill(index)
    if to_fill:
        library, source = to_fill
        with EnrollmentProgress(err, f"enrolling {default.name}") as progress:
            enroll(index, pair, library.id, source, progress=progress)
