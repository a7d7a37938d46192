"""The page at `/`: three static files that come with the package, and a policy that lets them load nothing else.

Content-Security-Policy level 3: no inline script, no foreign origin, so that a file name cannot become code.
"""

from functools import cache
from html import escape
from importlib.resources import files

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from app.deps import ServiceDep
from index.families import FAMILIES

router = APIRouter(include_in_schema=False)

MEDIA_TYPES = {"app.css": "text/css", "app.js": "text/javascript"}
CACHING = {"Cache-Control": "no-cache"}
POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@cache
def _text(name: str) -> str:
    return (files("app") / "web" / name).read_text(encoding="utf-8")


@router.get("/", response_class=HTMLResponse)
def get_page(service: ServiceDep) -> HTMLResponse:
    """The page, with the families and limits of this service filled in."""
    options = "".join(
        f'<option value="{escape(name)}">{escape(name.replace("_", " "))}</option>' for name in FAMILIES
    )
    html = _text("index.html").replace("{{families}}", options)
    html = html.replace("{{max_top_k}}", str(service.settings.max_top_k))
    return HTMLResponse(html, headers=POLICY | CACHING)


@router.get("/web/{name}")
def get_asset(name: str) -> Response:
    """The page's style or behaviour."""
    if name not in MEDIA_TYPES:
        raise HTTPException(404)
    return Response(_text(name), media_type=MEDIA_TYPES[name], headers=CACHING)
