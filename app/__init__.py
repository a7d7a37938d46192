"""Show Me the Instruments as a service: the HTTP API, the page, the command `showme`, and `Engine` for Python.

Follows docs/ARCHITECTURE.md, section "HTTP contract". Importing the package loads nothing; `Engine` is loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.engine import Engine as Engine


def __getattr__(name: str) -> object:
    """Load `Engine`, and PyTorch with it, on first access."""
    if name == "Engine":
        return import_module("app.engine").Engine
    raise AttributeError(f"module 'app' has no attribute {name!r}")
