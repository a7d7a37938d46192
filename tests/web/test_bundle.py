"""The committed bundle of the page: built from these sources, complete, small, and without foreign addresses.

Needs no Node: it computes the same hash over all inputs of the build as app/web/vite.stamp.ts.
"""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent.parent / "app" / "web"
DIST = WEB / "dist"
NOT_INPUTS = ("dist", "node_modules", "tests")
BUDGET_BYTES = 250_000
FIRST_VIEW_BYTES = 120_000
GENERATED = "openapi.ts"
DEMO_BYTES = 300_000  # loaded by a click on it, and not with the page


def sources_hash(root: Path) -> str:
    """SHA-256 over path, length and content of every input of the build, sorted by the bytes of the path."""
    names = []
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.is_file() and parts[0] not in NOT_INPUTS and not any(part.startswith(".") for part in parts):
            names.append("/".join(parts))
    digest = hashlib.sha256()
    for name in sorted(names, key=str.encode):
        content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def test_the_bundle_is_built_from_these_sources() -> None:
    assert (DIST / "sources.sha256").read_text().strip() == sources_hash(WEB), (
        "the bundle is stale: run make web"
    )


def test_a_changed_source_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.tsx").write_text("one")
    before = sources_hash(tmp_path)
    for ignored in ("dist/a.js", "node_modules/x/y.js", "tests/a.test.ts", ".npmrc"):
        (tmp_path / ignored).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ignored).write_text("ignored")
    assert sources_hash(tmp_path) == before
    (tmp_path / "src" / "main.tsx").write_text("two")
    assert sources_hash(tmp_path) != before


def test_every_file_has_its_compressed_copy_within_the_budget() -> None:
    total = len(gzip.compress((DIST / "index.html").read_bytes()))
    for path in (DIST / "assets").iterdir():
        if path.suffix == ".mp3":
            assert path.stat().st_size <= DEMO_BYTES
        elif path.suffix == ".gz":
            assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes()
            total += path.stat().st_size
        else:
            assert path.with_name(f"{path.name}.gz").is_file(), path.name
    assert total <= BUDGET_BYTES


def test_the_page_loads_only_what_is_there_and_its_first_view_is_small() -> None:
    html = (DIST / "index.html").read_text()
    named = re.findall(r'(?:href|src)="/web/([^"]+)"', html)
    assert any(name.endswith(".js") for name in named)
    assert any(name.endswith(".css") for name in named)
    assert sum((DIST / f"{name}.gz").stat().st_size for name in named) <= FIRST_VIEW_BYTES
    assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|(?:href|src)=\"https?:", html)


@pytest.mark.parametrize("name", ["package.json", "package-lock.json"])
def test_packages_are_pinned_without_naming_a_registry(name: str) -> None:
    text = (WEB / name).read_text()
    assert "resolved" not in text
    assert json.loads(text)["name"] == "showme-web"


def test_sources_are_small() -> None:
    sources = [
        path
        for path in (WEB / "src").rglob("*")
        if path.suffix in (".ts", ".tsx", ".css") and path.name != GENERATED
    ]
    assert sources
    long = {path.name: n for path in sources if (n := len(path.read_text().splitlines())) > 320}
    assert not long
