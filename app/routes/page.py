"""The page at `/`: the bundle that Vite builds into app/web/dist, and a policy that lets it load nothing else.

Content-Security-Policy level 3: no inline script, no foreign origin, and style elements only with the response's own nonce,
so that a file name cannot become code; names with a hash in them never change (RFC 8246).
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

router = APIRouter(include_in_schema=False)

NONCE = "CSP-NONCE"  # what app/web/vite.config.ts writes where a nonce belongs
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
REVALIDATED = {"Cache-Control": "no-cache"}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_HASHED = re.compile(r"-[\w-]{8}\.\w+$")
_GZIP = re.compile(
    r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)", re.IGNORECASE
)


def policy(nonce: str) -> dict[str, str]:
    """The headers of the page, for one response."""
    return {
        "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
        "connect-src 'self'; media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }


def _dist() -> Traversable:
    return files("app") / "web" / "dist"


@cache
def _page() -> str:
    try:
        return (_dist() / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HTTPException(404, "the page is not built in this checkout: run make web") from None


@cache
def _assets() -> dict[str, bytes]:
    """What may be served below /web/, by its path there; gzip copies among them."""
    found: dict[str, bytes] = {}
    folder = _dist() / "assets"
    if folder.is_dir():
        for item in folder.iterdir():
            if PurePosixPath(item.name.removesuffix(".gz")).suffix in MEDIA_TYPES:
                found[f"assets/{item.name}"] = item.read_bytes()
    return found


@router.get("/", response_class=HTMLResponse)
def get_page() -> HTMLResponse:
    """The page, with a fresh nonce for the style elements that its waveform makes."""
    nonce = secrets.token_urlsafe(16)
    return HTMLResponse(_page().replace(NONCE, nonce), headers=policy(nonce) | REVALIDATED)


@router.get("/web/{name:path}")
def get_asset(name: str, request: Request) -> Response:
    """A script or style of the page; compressed where the browser takes it so."""
    assets = _assets()
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if name not in assets or media_type is None:
        raise HTTPException(404)
    headers = {"Vary": "Accept-Encoding"} | (FOREVER if _HASHED.search(name) else REVALIDATED)
    packed = assets.get(f"{name}.gz")
    if packed is not None and _GZIP.search(request.headers.get("accept-encoding", "")):
        return Response(packed, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(assets[name], media_type=media_type, headers=headers)
