"""The Dockerfile and the compose file hold what DESIGN.md promises of them, and reject what they should.

`make compose-check` and `make docker-steps` go further: a compose client, and a real installation.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.check_compose import PROFILES, compose_faults, dockerfile_faults
from tests.deployment.dockerfile import ROOT, environment, in_context, instructions


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_dockerfile_is_whole() -> None:
    assert not dockerfile_faults()


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_is_whole(compose: dict[str, Any], profile: str) -> None:
    assert not compose_faults(compose, profile)


def test_faults_are_seen(compose: dict[str, Any]) -> None:
    swapped = deepcopy(compose)
    swapped["services"]["cpu"], swapped["services"]["gpu"] = (
        swapped["services"]["gpu"],
        swapped["services"]["cpu"],
    )
    assert len(compose_faults(swapped, "cpu")) == 3
    assert compose_faults({"services": {}}, "gpu")


def test_build_arguments_reach_the_environment(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        "# comment\nFROM base\nARG VARIANT=cpu\nENV A=1 \\\n    B=2\nRUN one \\\n # between\n && two\n"
    )
    found = instructions(dockerfile)
    assert [one.keyword for one in found] == ["FROM", "ARG", "ENV", "RUN"]
    assert environment(found, {"VARIANT": "gpu"}) == {"VARIANT": "gpu", "A": "1", "B": "2"}
    assert found[-1].value.split() == ["one", "&&", "two"]


def test_both_installers_ask_for_the_same() -> None:
    """torch and tinysoundfont are installed on their own, in the Makefile and in the Dockerfile: one version each."""
    makefile, dockerfile, project = (
        (ROOT / name).read_text() for name in ("Makefile", "Dockerfile", "pyproject.toml")
    )
    for requirement in ('"torch>=2.13,<2.14"', '"tinysoundfont>=0.3.7,<0.4"'):
        assert requirement in makefile
        assert requirement in dockerfile
    assert '"torch>=2.13,<2.14"' in project


def test_the_build_context_is_what_the_image_needs() -> None:
    assert in_context(ROOT / "models/weights/single.safetensors")
    assert in_context(ROOT / "alembic/env.py")
    assert not in_context(ROOT / "data/showme.db")
    assert not in_context(ROOT / "tests/conftest.py")
    assert not in_context(ROOT / "app/__pycache__/main.cpython-312.pyc")
