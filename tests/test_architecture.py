"""The shape of the project: imports, names, lengths of files, and the files that must exist.

Enforces the layers of docs/ARCHITECTURE.md (app → index → models, training → sources, retrieval and models) on the
syntax trees.
"""

import ast
import os
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import alembic
import pytest

from tests.import_graph import circles, import_graph, imported, module_name, parsed, reached

ROOT = Path(__file__).parent.parent
OURS = ("alembic", "app", "benchmarks", "index", "models", "tests", "training")
SHIPPED = ("app", "benchmarks", "index", "models", "training")  # where a name has one meaning
PUBLIC_DOOR = "app/__init__.py"  # the one file that offers names of other files: `from app import Engine`
MAX_LINES = 320
TEXT = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".json",
    ".mako",
    ".md",
    ".py",
    ".toml",
    ".ts",
    ".tsx",
    ".txt",
    ".yaml",
    ".yml",
}

# Allowed imports of our own modules; a name stands for the module and everything in it.
ARROWS = {
    "models": ("models",),
    "index": ("index", "models"),
    "app": ("app", "index", "models"),
    "training": (
        "training",
        "models",
        "index.sources",
        "index.retrieval",
        "index.lane_families",
        "index.recognition",
        "index.search_space",
        "index.families",
    ),
    "alembic": (
        "index.catalog",
        "index.declarative",
        "index.incoming",
        "index.migrations",
        "index.sound_descriptors",
    ),
}
# Numpy in, numpy out: neither these nor what they import may reach a database or the web.
PURE = (
    "index.retrieval",
    "index.lane_families",
    "index.recognition",
    "index.search_space",
    "models.tracks",
    "models.posterior",
    "models.family",
    "models.match",
)
IMPURE = ("alembic", "fastapi", "sqlalchemy", "starlette")
EXPECTED = (
    ".ci/run",
    ".dockerignore",
    ".editorconfig",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "alembic.ini",
    "alembic/env.py",
    "app/main.py",
    "benchmarks/__main__.py",
    "constraints.txt",
    "docker-compose.yml",
    "docs/ARCHITECTURE.md",
    "index/catalog.py",
    "index/retrieval.py",
    "models/weights/family.safetensors",
    "models/weights/match.safetensors",
    "models/weights/multi.safetensors",
    "models/weights/single.safetensors",
    "pyproject.toml",
    "training/splits.json",
)


def refuse(faults: Iterable[object]) -> None:
    """Fail with one line for each fault."""
    lines = [str(fault) for fault in faults]
    assert not lines, "\n" + "\n".join(lines)


@cache
def project_files() -> tuple[Path, ...]:
    """Return all files that are or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        paths = [ROOT / name for name in found if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive
        paths = [
            path for name in OURS for path in (ROOT / name).rglob("*") if "__pycache__" not in path.parts
        ]
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(*packages: str) -> list[Path]:
    files = [path for path in project_files() if path.suffix == ".py"]
    return [path for path in files if path.relative_to(ROOT).parts[0] in packages]


def texts() -> list[tuple[str, str]]:
    """Return name and text of all files of prose or code below a size limit."""
    files = [path for path in project_files() if path.suffix in TEXT and path.stat().st_size < 1_000_000]
    return [(name_of(path), path.read_bytes().decode("utf-8", "ignore")) for path in files]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def users_of(library: str) -> set[str]:
    """Return our files, without tests, that import a library."""
    files = python_files("alembic", *SHIPPED)
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
    refuse(faults)


def test_faiss_is_imported_in_one_file() -> None:
    assert len(users_of("faiss")) == 1


def test_fastapi_stays_in_app() -> None:
    assert all(name.startswith("app/") for name in users_of("fastapi") | users_of("starlette"))


def test_routes_do_not_compute() -> None:
    assert not {name for name in users_of("torch") if name.startswith("app/routes/")}


def test_audio_is_decoded_in_one_place() -> None:
    assert users_of("av") == {"models/audio_tracks.py"}


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_reach_no_database_and_no_web(name: str) -> None:
    path_of = {module_name(path, ROOT): path for path in python_files(*SHIPPED)}
    assert name in path_of
    modules = reached(import_graph(path_of.values(), ROOT), name)
    faults = [
        f"{module} imports {library}"
        for module in modules
        for library in imported(path_of[module])
        if within(library, IMPURE)
    ]
    refuse(faults)


def test_no_modules_import_each_other() -> None:
    """A circle hidden in a function or under TYPE_CHECKING is one too."""
    refuse(circles(import_graph(python_files("tests", *SHIPPED), ROOT)))


def test_circles_are_found_as_chains() -> None:
    graph = {
        name: frozenset(imports.split())
        for name, imports in {"a": "b d", "b": "c", "c": "a", "d": ""}.items()
    }
    assert circles(graph) == ["a → b → c → a"]
    assert not circles(graph | {"c": frozenset("d")})


def test_a_class_name_exists_once() -> None:
    files_of: dict[str, list[str]] = defaultdict(list)
    for path in python_files(*SHIPPED):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                files_of[node.name].append(name_of(path))
    refuse(f"{name}: {', '.join(files)}" for name, files in files_of.items() if len(files) > 1)


def test_no_file_name_exists_three_times() -> None:
    stems = Counter(path.stem for path in python_files(*SHIPPED) if not path.stem.startswith("__"))
    refuse(f"{stem}.py: {number} files" for stem, number in stems.items() if number > 2)


def test_names_are_imported_from_where_they_are_defined() -> None:
    """No file but the public door offers the names of another one: by `__all__`, or by `import name as name`."""
    faults = []
    for path in python_files(*SHIPPED):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Name) and node.id == "__all__":
                faults.append(f"{name_of(path)}: __all__")
            elif isinstance(node, ast.Import | ast.ImportFrom):
                again = [alias.name for alias in node.names if alias.name == alias.asname]
                faults += [f"{name_of(path)}: {name} as {name}" for name in again]
    refuse(fault for fault in faults if not fault.startswith(PUBLIC_DOOR))


def test_files_are_small() -> None:
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in python_files(*OURS)}
    refuse(f"{name}: {size} lines" for name, size in sizes.items() if size > MAX_LINES)


def test_files_say_what_they_are() -> None:
    silent = [
        name_of(path)
        for path in python_files(*OURS)
        if parsed(path).body and not ast.get_docstring(parsed(path))
    ]
    refuse(silent)


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
    faults = [f"{name}: {match[0]}" for name, text in texts() for match in pattern.finditer(text)]
    refuse(faults)


def test_no_documents_from_outside_are_cited() -> None:
    """Decisions, contract and vocabulary stand in docs/ARCHITECTURE.md; a reader has no other document."""
    pattern = re.compile(r"\b(?:DESIGN|STYLE|FACTS|RECOGNISERS)\.md")
    refuse(f"{name}: {match[0]}" for name, text in texts() for match in pattern.finditer(text))


def test_the_map_of_the_project_is_true() -> None:
    """Every path in docs/ARCHITECTURE.md exists, and every decision that a file cites is there."""
    document = (ROOT / "docs/ARCHITECTURE.md").read_text()
    packages = "|".join((*OURS, "docs"))
    paths = {path.rstrip(".") for path in re.findall(rf"(?<![\w./])(?:{packages})/[\w./-]*", document)}
    assert paths
    refuse(sorted(path for path in paths if not (ROOT / path).exists()))
    decisions = set(re.findall(r"^(\d+)\. \*\*", document, re.MULTILINE))
    cited = [
        (name, number)
        for name, text in texts()
        for numbers in re.findall(r"ARCHITECTURE\.md, decisions? ([\d, and]+)", text)
        for number in re.findall(r"\d+", numbers)
    ]
    refuse(f"{name}: decision {number}" for name, number in cited if number not in decisions)


def test_the_folder_alembic_does_not_shadow_the_package() -> None:
    assert not (ROOT / "alembic/__init__.py").exists()
    assert not Path(alembic.__file__).is_relative_to(ROOT / "alembic")
