"""The headers that tell browsers what they must not do with an answer, on every response of the service.

Content-Security-Policy level 3, Fetch (Cross-Origin-Resource-Policy) and HTML (Cross-Origin-Opener-Policy). An answer that is
not the page runs nothing and loads nothing, even if a browser were to show it as a document.
"""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
API_CACHING = "private"  # answers of a key are not for the caches of proxies


def reference_headers(nonce: str) -> dict[str, str]:
    """Return what the page of the API may do: its style element, which has the nonce, and links."""
    policy = "default-src 'none'; style-src 'nonce-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return {"Content-Security-Policy": policy.format(nonce)}


def page_headers(nonce: str) -> dict[str, str]:
    """Return what the page may do: its own scripts, its own styles and those with the nonce, and the microphone."""
    return {
        "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
        "connect-src 'self'; media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'",
        "Permissions-Policy": SECURITY_HEADERS["Permissions-Policy"].replace(
            "microphone=()", "microphone=(self)"
        ),
    }
