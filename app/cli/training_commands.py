"""`showme evaluate` and `showme data`: commands of the training package under the same name as the others.

The only place where `app` reaches for `training`, and only when the command runs: a service needs no training code.
"""

import importlib
from collections.abc import Sequence

from app.cli.terminal import fail


def run(module: str, arguments: Sequence[str]) -> int:
    """Run `main(arguments)` of a module of the training package and return its exit code."""
    try:
        command = importlib.import_module(module)
    except ModuleNotFoundError as error:
        fail(f"the training code is not installed ({error.name} is missing)")
    code: int = command.main(list(arguments))
    return code
