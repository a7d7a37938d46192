"""The page at `/`: serves the bundle that Vite builds into app/web/dist, with a policy that allows nothing else, and `/docs`.

No inline scripts, no other origins, and style elements only with the response's own nonce (`app/access/headers.py`), so that a
file name cannot become code. Files with a hash in their names never change (RFC 8246).
"""

import re
import secrets
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from app.access.headers import page_headers, reference_headers
from app.api_reference import render

router = APIRouter(include_in_schema=False)

NONCE = "CSP-NONCE"  # placeholder that app/web/vite.config.ts writes
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".mp3": "audio/mpeg",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
REVALIDATED = {"Cache-Control": "no-cache"}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_HASHED = re.compile(r"-[\w-]{8}\.\w+$")
_GZIP = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)", re.IGNORECASE
)


def _dist() -> Traversable:
    return files("app") / "web" / "dist"


@cache
def _page() -> str:
    try:
        return (_dist() / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HTTPException(404, "the page is not built in this checkout; run `make web`") from None


@cache
def _assets() -> dict[str, bytes]:
    """Return the files served below /web/ by their path, gzip copies included."""
    found: dict[str, bytes] = {}
    folder = _dist() / "assets"
    if folder.is_dir():
        for item in folder.iterdir():
            if PurePosixPath(item.name.removesuffix(".gz")).suffix in MEDIA_TYPES:
                found[f"assets/{item.name}"] = item.read_bytes()
    return found


@router.get("/", response_class=HTMLResponse)
def get_page() -> HTMLResponse:
    """Return the page with a new nonce for the style elements of its waveform."""
    nonce = secrets.token_urlsafe(16)
    return HTMLResponse(_page().replace(NONCE, nonce), headers=page_headers(nonce) | REVALIDATED)


@router.get("/docs", response_class=HTMLResponse)
def get_api_reference(request: Request) -> HTMLResponse:
    """Return the API for people to read. It asks for nothing else, so that it needs no network."""
    nonce = secrets.token_urlsafe(16)
    page = render(request.app.openapi(), nonce)
    return HTMLResponse(page, headers=reference_headers(nonce) | REVALIDATED)


@router.get("/web/{name:path}")
def get_asset(name: str, request: Request) -> Response:
    """Return a script, a style or the demo track of the page, compressed if the browser accepts it."""
    assets = _assets()
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if name not in assets or media_type is None:
        raise HTTPException(404)
    headers = {"Vary": "Accept-Encoding"} | (FOREVER if _HASHED.search(name) else REVALIDATED)
    packed = assets.get(f"{name}.gz")
    if packed is not None and _GZIP.search(request.headers.get("accept-encoding", "")):
        return Response(packed, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(assets[name], media_type=media_type, headers=headers)
