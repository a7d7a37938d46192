"""The imports among the project's own modules, read from the syntax trees.

Imports inside functions and under TYPE_CHECKING count too: they couple two modules in the same way.
"""

import ast
from collections import deque
from collections.abc import Iterable, Mapping, Set
from functools import cache
from pathlib import Path

Graph = Mapping[str, frozenset[str]]


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


@cache
def import_statements(path: Path) -> tuple[tuple[str, str | None], ...]:
    """Return (module, name) for every `from module import name` in a file; the name is None for `import module`."""
    found: list[tuple[str, str | None]] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found += [(node.module, alias.name) for alias in node.names]
    return tuple(found)


def imported(path: Path) -> set[str]:
    """Return the full names that a file imports; `from a import b` gives both `a` and `a.b`."""
    statements = import_statements(path)
    return {module for module, _ in statements} | {f"{module}.{name}" for module, name in statements if name}


def module_name(path: Path, root: Path) -> str:
    """Return the dotted module name of a file below `root`; a package's `__init__.py` has the package's name."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph(files: Iterable[Path], root: Path) -> Graph:
    """Return the modules among `files` that each module imports.

    `from a import b` leads to `a.b` if that is a module, else to `a`. Importing `a.b` also runs `a/__init__.py`, but this
    is not an edge: only names that a file mentions are.
    """
    path_of = {module_name(path, root): path for path in files}
    return {name: _edges(path, path_of.keys()) for name, path in path_of.items()}


def _edges(path: Path, modules: Set[str]) -> frozenset[str]:
    full = ((module, f"{module}.{name}") for module, name in import_statements(path))
    return frozenset(name if name in modules else module for module, name in full) & modules


def circles(graph: Graph) -> list[str]:
    """Return circular imports as chains `a → b → a`, the shortest first; empty if there are none.

    Each edge of a circle is closed by the shortest way back. Only one chain through the same modules is returned.
    """
    core = _without_ends(graph)
    chains: dict[frozenset[str], str] = {}
    for start in sorted(core):
        for first in sorted(core[start]):
            way_back = _shortest_way(core, first, start)
            if way_back:
                chains.setdefault(frozenset(way_back), " → ".join([start, *way_back]))
    return sorted(chains.values(), key=lambda chain: (chain.count("→"), chain))


def _without_ends(graph: Graph) -> Graph:
    """Remove modules without imports repeatedly: no circle passes through them."""
    kept = dict(graph)
    while ends := {name for name, imports in kept.items() if not imports & kept.keys()}:
        kept = {name: imports for name, imports in kept.items() if name not in ends}
    return {name: imports & kept.keys() for name, imports in kept.items()}


def _shortest_way(graph: Graph, start: str, end: str) -> list[str]:
    """Return the shortest chain of imports from `start` to `end`, both included; empty if there is none."""
    previous: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        if here == end:
            way = [end]
            while (step := previous[way[-1]]) is not None:
                way.append(step)
            return way[::-1]
        for following in sorted(graph[here] - previous.keys()):
            previous[following] = here
            queue.append(following)
    return []


def reached(graph: Graph, start: str) -> set[str]:
    """Return the modules that run when `start` is imported: its imports, and the packages that contain them."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if here in graph and here not in found:
            found.add(here)
            waiting += [*graph[here], here.rpartition(".")[0]]
    return found
