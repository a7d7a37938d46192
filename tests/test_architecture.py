"""The shape of the project: which package may import which, how long a file may be, and what must be there.

Follows the arrows of DESIGN.md (app → index → models, training → sources and models), read from the syntax trees.
"""

import ast
import os
import re
import subprocess
from functools import cache
from pathlib import Path

import alembic
import pytest

ROOT = Path(__file__).parent.parent
OURS = ("alembic", "app", "benchmarks", "index", "models", "tests", "training")
MAX_LINES = 320
TEXT = {".cfg", ".css", ".html", ".ini", ".js", ".json", ".mako", ".md", ".py", ".toml", ".yml", ".yaml", ""}

# Who may import what of ours; a name stands for the module and everything in it.
ARROWS = {
    "models": ("models",),
    "index": ("index", "models"),
    "app": ("app", "index", "models"),
    "training": ("training", "models", "index.sources", "index.families"),
    "alembic": ("index.catalog", "index.migrations"),
}
EXPECTED = (
    ".ci/run",
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "Makefile",
    "README.md",
    "alembic.ini",
    "alembic/env.py",
    "app/main.py",
    "benchmarks/__main__.py",
    "docker-compose.yml",
    "index/catalog.py",
    "models/weights/multi.safetensors",
    "models/weights/single.safetensors",
    "pyproject.toml",
    "training/splits.json",
)


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        paths = [ROOT / name for name in found if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        paths = [
            path for name in OURS for path in (ROOT / name).rglob("*") if "__pycache__" not in path.parts
        ]
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(package: str) -> list[Path]:
    return [path for path in project_files() if path.suffix == ".py" and path.is_relative_to(ROOT / package)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Full names of the modules that a file imports, wherever in it."""
    names: list[str] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def users_of(library: str) -> set[str]:
    """Our files, tests aside, that import a library."""
    packages = [package for package in OURS if package != "tests"]
    files = [path for package in packages for path in python_files(package)]
    return {name_of(path) for path in files if any(within(module, (library,)) for module in imported(path))}


@pytest.mark.parametrize("package", ARROWS)
def test_imports_follow_the_arrows(package: str) -> None:
    ours = tuple(name for name in OURS if name != "alembic")  # `import alembic` is the installed package
    allowed = ARROWS[package]
    faults = []
    files = python_files(package)
    assert files
    for path in files:
        for module in imported(path):
            parent = any(name.startswith(module + ".") for name in allowed)  # `from index import sources`
            if not within(module, ours) or within(module, allowed) or parent:
                continue
            faults.append(f"{name_of(path)} imports {module}")
    assert not faults


def test_faiss_is_imported_in_one_file() -> None:
    assert len(users_of("faiss")) == 1


def test_fastapi_stays_in_app() -> None:
    assert all(name.startswith("app/") for name in users_of("fastapi") | users_of("starlette"))


def test_routes_do_not_compute() -> None:
    assert not {name for name in users_of("torch") if name.startswith("app/routes/")}


def test_audio_is_decoded_in_one_place() -> None:
    assert users_of("av") == {"models/audio_tracks.py"}


def test_files_are_small() -> None:
    sizes = {
        name_of(path): len(path.read_text().splitlines())
        for package in OURS
        for path in python_files(package)
    }
    assert not {name: size for name, size in sizes.items() if size > MAX_LINES}


def test_files_say_what_they_are() -> None:
    files = [path for package in OURS for path in python_files(package)]
    silent = [name_of(path) for path in files if parsed(path).body and not ast.get_docstring(parsed(path))]
    assert not silent


@pytest.mark.parametrize("name", EXPECTED)
def test_everything_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_ci_runs_what_developers_run() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert "make check" in script.read_text()


def test_no_paths_of_one_machine() -> None:
    """Nothing we commit names a home folder or another place that exists on one machine only."""
    pattern = re.compile(r"(?<![\w.:/-])/(?:" + "|".join(("home", "root", "Users", "work", "mnt")) + r")/\w")
    faults = []
    for path in project_files():
        if path.suffix in TEXT and path.stat().st_size < 1_000_000:
            text = path.read_bytes().decode("utf-8", "ignore")
            faults += [f"{name_of(path)}: {match[0]}" for match in pattern.finditer(text)]
    assert not faults


def test_the_folder_alembic_does_not_shadow_the_package() -> None:
    assert not (ROOT / "alembic/__init__.py").exists()
    assert not Path(alembic.__file__).is_relative_to(ROOT / "alembic")
