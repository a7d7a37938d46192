"""Prints the installed version of everything that pyproject.toml needs, as a pip constraints file (`make constraints`).

Leaves out packages that differ between the cpu and the gpu variant, so that one file serves both.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.deployment.dockerfile import ROOT

ON_THEIR_OWN = ("tinysoundfont",)  # installed with --no-deps, so not among the dependencies of pyproject.toml
OF_ONE_VARIANT = re.compile(r"(?:cuda|faiss|nvidia|torchaudio|triton)\b")
HEADER = """\
# Versions that passed `make check` together on Python 3.11. Written by `make constraints`; used by `make install` and the
# Dockerfile. Packages that differ between the cpu and the gpu variant are left to pip.
"""


def requirements() -> list[Requirement]:
    """Return the requirements of pyproject.toml, including those of all extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    return [Requirement(one) for one in (*project["dependencies"], *extras, *ON_THEIR_OWN)]


def installed_versions(roots: Iterable[Requirement]) -> tuple[dict[str, str], set[str]]:
    """Return the versions of `roots` and all their dependencies by name, and the names that are not installed."""
    versions: dict[str, str] = {}
    missing: set[str] = set()
    waiting = list(roots)
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in seen or OF_ONE_VARIANT.match(name):
            continue
        seen.add((name, extras))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            missing.add(name)
            continue
        versions[name] = Version(found.version).public  # torch's local part names its build
        if name not in ON_THEIR_OWN:
            needed = map(Requirement, found.requires or ())
            waiting += [requirement for requirement in needed if _applies(requirement, extras)]
    return versions, missing


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    """Return whether a package requested with `extras` has this requirement on this machine."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def main() -> int:
    versions, missing = installed_versions(requirements())
    if missing:
        print(f"not installed here, so left open: {', '.join(sorted(missing))}", file=sys.stderr)
    print(HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items())), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
