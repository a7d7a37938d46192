"""`showme evaluate`: measures the encoders on held-out instruments, as `python -m training.evaluate` does.

The only place where `app` reaches for `training`, and only when the command runs: a service needs no training code.
"""

import importlib

from app.cli.terminal import fail


def evaluate(arguments: list[str]) -> int:
    """Run `training.evaluate.main(arguments)` and return its exit code."""
    try:
        evaluation = importlib.import_module("training.evaluate")
    except ModuleNotFoundError as error:
        fail(f"the training code is not installed ({error.name} is missing)")
    code: int = evaluation.main(arguments)
    return code
