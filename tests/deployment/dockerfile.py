"""Parses the Dockerfile into instructions, for checks on machines without a Docker engine.

Supports comments, continued lines and one stage, which is enough for our Dockerfile.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instruction:
    """One instruction: `keyword` in capitals, and the rest of its logical line."""

    keyword: str
    value: str

    def command(self) -> list[str]:
        """Return a CMD or HEALTHCHECK … CMD in its exec form. Raises ValueError when it is in the shell form."""
        start = self.value.find("[")
        if start < 0:
            raise ValueError(f"{self.keyword} is not in the exec form: {self.value}")
        parts: list[str] = json.loads(self.value[start:])
        return parts


def instructions(path: Path = ROOT / "Dockerfile") -> list[Instruction]:
    """Return the instructions in order."""
    lines = [
        line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    logical = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    split = (line.split(None, 1) for line in logical)
    return [Instruction(keyword.upper(), value.strip()) for keyword, value in split]


def environment(found: list[Instruction], build_arguments: dict[str, str]) -> dict[str, str]:
    """Return the variables that ARG and ENV set; build arguments override the defaults of ARG."""
    values: dict[str, str] = {}
    for instruction in found:
        if instruction.keyword == "ARG":
            name, _, default = instruction.value.partition("=")
            values[name] = build_arguments.get(name, default)
        elif instruction.keyword == "ENV":
            values |= dict(pair.split("=", 1) for pair in instruction.value.split())
    return values


def in_context(path: Path, ignore: Path = ROOT / ".dockerignore") -> bool:
    """Return whether a file is in the build context: .dockerignore excludes all, re-includes some, and excludes caches."""
    name = path.relative_to(ROOT).as_posix()
    rules = [line.strip() for line in ignore.read_text().splitlines() if line.strip()]
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    inside = any(name == rule or name.startswith(rule + "/") for rule in let_in)
    return inside and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".pyo", ".pyd"}
