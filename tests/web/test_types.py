"""The page's generated types belong to the service's OpenAPI document. Needs no Node."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from app.openapi import openapi_json

WEB = Path(__file__).parent.parent.parent / "app" / "web"


def test_the_types_are_generated_from_this_document() -> None:
    header = (WEB / "src" / "api" / "openapi.ts").read_text().split("export", 1)[0]
    found = re.search(r"sha256:([0-9a-f]{64})", header)
    assert found
    assert found[1] == hashlib.sha256(openapi_json().encode()).hexdigest(), (
        "the types are stale: run make types web"
    )


def test_the_command_prints_the_same_document_without_a_server() -> None:
    command = [sys.executable, "-m", "app.openapi"]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=120).stdout.decode()
    assert printed == openapi_json()
    assert json.loads(printed)["info"]["title"] == "Show Me the Instruments"


def test_a_release_does_not_make_the_types_stale() -> None:
    assert json.loads(openapi_json())["info"]["version"] == ""
