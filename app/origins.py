"""Middleware against web pages of other sites: whose requests a browser on this machine would otherwise carry out.

A name that an attacker points at this machine (DNS rebinding) makes its page same-origin, so the Host must be a known one
(RFC 9110, 7.4). A form of another site is sent without being asked, so what writes must come from the service's own page or
from a program: browsers say where a request comes from (Fetch Metadata, `Sec-Fetch-Site`; RFC 6454, `Origin`).
"""

from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import CrossOrigin, UnknownHost, http_problem_response

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
ANY_ADDRESS = ("0.0.0.0", "::", "")  # bound to every address of the machine: none of them names the service
READING = ("GET", "HEAD", "OPTIONS")
EXPOSED = (
    "Content-Disposition",
    "Content-Range",
    "Location",
    "Retry-After",
    "X-Request-ID",
)  # to scripts, by CORS
OWN = ("same-origin", "none")  # `none`: typed or bookmarked by the user


def known_hosts(bound: str, named: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts that requests may name: loopback, the address that the service is bound to, and those in `named`."""
    address = () if bound in ANY_ADDRESS else (f"[{bound}]" if _is_ipv6(bound) else bound,)
    return tuple(dict.fromkeys((*LOOPBACK_NAMES, *address, *named)))


class KnownHosts:
    """Starlette's check of the Host, which answers in plain text, with a problem document in its place."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = False

        async def pass_on(scope: Scope, receive: Receive, _: Send) -> None:
            await self.app(scope, receive, send)

        async def discard(_: Message) -> None:
            nonlocal is_refused
            is_refused = True

        await TrustedHostMiddleware(pass_on, self.hosts, www_redirect=False)(scope, receive, discard)
        if is_refused:
            error = UnknownHost(Headers(scope=scope).get("host", ""), self.hosts)
            await http_problem_response(Request(scope), error)(scope, receive, send)


class NamedOrigins:
    """Starlette's answers to the browsers of pages that the operator names (Fetch, CORS), without its refusals in plain text.

    Other pages are answered as without it, so their browsers keep the answers from them. No cookie counts: keys are sent as
    `Authorization`.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self._origins = origins
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and Headers(scope=scope).get("origin") in self._origins:
            await self._cors(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class OwnOrigin:
    """Refuses what writes if a browser sends it for a page of another site, unless the operator names it in `origins`.

    Programs send neither header and pass.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self.app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING:
            headers = Headers(scope=scope)
            foreign = _foreign_origin(headers)
            if foreign is not None and headers.get("origin") not in self._origins:
                answer = http_problem_response(Request(scope), CrossOrigin(foreign))
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


def check_own_page(headers: Headers) -> None:
    """Raise CrossOrigin unless the browser itself says that a request comes from the service's own page.

    It is asked of what writes with a cookie, which browsers send by themselves. Foreign origins were refused before, but for
    those that the operator names, whose pages have to send a key.
    """
    if (foreign := _foreign_origin(headers)) is not None:
        raise CrossOrigin(foreign)
    if headers.get("sec-fetch-site") is None and headers.get("origin") is None:
        raise CrossOrigin("neither Origin nor Sec-Fetch-Site")


def _foreign_origin(headers: Headers) -> str | None:
    """Return what names the foreign site in a request's headers, None if it is no foreign one."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return None if site in OWN else site
    if origin is None or urlsplit(origin).netloc == headers.get("host"):
        return None
    return origin


def _is_ipv6(address: str) -> bool:
    try:
        IPv6Address(address)
    except AddressValueError:
        return False
    return True
