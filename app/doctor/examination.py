"""The order of the doctor's checks, and what becomes of one that fails."""

from collections.abc import Callable, Iterator

from app.doctor.data import check_database, check_folder, check_room
from app.doctor.findings import Finding
from app.doctor.machine import (
    check_codecs,
    check_decoding,
    check_default_library,
    check_device,
    check_files,
    check_port,
    check_search,
    check_weights,
)
from app.settings import Settings
from models.errors import ShowMeError

CHECKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "device": check_device,
    "search": check_search,
    "codecs": check_codecs,
    "decoding": check_decoding,
    "weights": check_weights,
    "data folder": check_folder,
    "disk": check_room,
    "database": check_database,
    "default library": check_default_library,
    "port": check_port,
    "open files": check_files,
}


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield all findings, in the order in which a start needs what they are about. Never raises."""
    for name, check in CHECKS.items():
        try:
            yield from check(settings)
        except ShowMeError as error:
            yield Finding(name, "wrong", error.sentence)
        except Exception as error:  # what goes wrong is what the doctor is asked about
            yield Finding(name, "wrong", f"it cannot be checked: {type(error).__name__}: {error}")
