"""A small DSSI synthesiser, compiled from C once a session: the renderer's own path, with no synthesiser installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("tiny_dssi.c")


@pytest.fixture(scope="session")
def tiny_dssi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the plug-in's library. Its programs: a bright organ, its twin, a plain flute, noise, silence, a crash."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the tests' own synthesiser")
    library = tmp_path_factory.mktemp("dssi") / "tiny.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-lm"]
    subprocess.run(command, check=True)
    return library
