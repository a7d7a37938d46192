"""The Dockerfile and the compose file are complete, their checks find faults, and the pinned versions fit pyproject.toml.

`make compose-check` and `make docker-steps` go further: a compose client, and a real installation.
"""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.origins import known_hosts
from tests.deployment.check_compose import PROFILES, compose_faults, dockerfile_faults
from tests.deployment.constraints import OF_ONE_VARIANT, installed_versions, requirements
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


def test_health_checks_ask_for_a_host_that_the_service_answers_for(compose: dict[str, Any]) -> None:
    checks = [str(compose["services"][profile]["healthcheck"]) for profile in PROFILES]
    checks += [one.value for one in instructions() if one.keyword == "HEALTHCHECK"]
    hosts = [urlsplit(url).hostname for check in checks for url in re.findall(r"http://[^'\"]+", check)]
    assert len(hosts) == 3
    assert set(hosts) <= set(known_hosts("0.0.0.0", ()))
    for profile in PROFILES:
        assert "SHOWME_ALLOWED_HOSTS" in compose["services"][profile]["environment"]


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


@pytest.fixture(scope="module")
def pinned() -> dict[str, Requirement]:
    """The lines of constraints.txt by package."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {pin.name: pin for pin in pins}


def test_pins_are_plain_versions_that_serve_both_variants(pinned: dict[str, Requirement]) -> None:
    for name, pin in pinned.items():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert "+" not in only.version
        assert pin.url is None
        assert pin.marker is None
        assert not OF_ONE_VARIANT.match(name)
    assert "showme" not in pinned


def test_pins_satisfy_the_requirements(pinned: dict[str, Requirement]) -> None:
    unpinned = set()
    for requirement in requirements():
        pin = pinned.get(canonicalize_name(requirement.name))
        if pin is None:
            unpinned.add(requirement.name)
        else:
            assert all(requirement.specifier.contains(one.version) for one in pin.specifier), requirement
    assert unpinned <= {"faiss-cpu", "faiss-gpu", "librosa", "torchaudio"}


def test_every_need_of_an_installed_package_is_followed() -> None:
    versions, missing = installed_versions([Requirement("httpx"), Requirement("no-package-has-this-name")])
    assert {"httpx", "httpcore", "h11", "anyio"} <= versions.keys()
    assert "pytest" not in versions
    assert missing == {"no-package-has-this-name"}


def test_both_installers_take_the_pinned_versions() -> None:
    makefile, dockerfile = ((ROOT / name).read_text() for name in ("Makefile", "Dockerfile"))
    for text in (makefile.replace("$$", "$").replace("$(CONSTRAINTS)", "constraints.txt"), dockerfile):
        assert "grep '^torch==' constraints.txt" in text
        calls = [call for call in text.splitlines() if "pip install" in call and "torch" not in call.lower()]
        assert calls
        assert all("--constraint constraints.txt" in call or "--no-deps ." in call for call in calls)


def test_hooks_run_what_make_check_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    makefile = (
        (ROOT / "Makefile").read_text().replace("$(PACKAGES)", "app index models training benchmarks tests")
    )
    for hook in repository["hooks"]:
        command = hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude")
        assert f"$(BIN)/{command}" in makefile
        assert hook["language"] == "system"


def test_the_build_context_is_what_the_image_needs() -> None:
    assert in_context(ROOT / "models/weights/single.safetensors")
    assert in_context(ROOT / "alembic/env.py")
    assert in_context(ROOT / "constraints.txt")
    assert in_context(ROOT / "LICENSE")
    assert not in_context(ROOT / "data/showme.db")
    assert not in_context(ROOT / "tests/conftest.py")
    assert not in_context(ROOT / "app/__pycache__/main.cpython-312.pyc")
