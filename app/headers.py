"""Security headers of every response."""

from collections.abc import Mapping
from secrets import token_urlsafe

from flask import Flask, Response, g, request

# Content-Security-Policy of console pages, of the landing page, of the API explorer, of scripts and
# other files of the documentation site, and of all other responses, such as JSON. `{nonce}` is
# replaced by a random value in each response.
DEFAULT, CONSOLE, LANDING, EXPLORER, GUIDE = "default", "console", "landing", "explorer", "guide"
POLICIES = {
    DEFAULT: "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    CONSOLE: (
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    LANDING: (
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # The search runs in a worker, which has the policy of its script. Pages have policies of their
    # own (config/documentation/inline_scripts.py).
    GUIDE: (
        "default-src 'none'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # The style sheet of Swagger UI has data: images. The page sends requests to the API.
    EXPLORER: (
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
ALWAYS = {
    # Many responses hold tokens.
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICIES[DEFAULT],
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OVER_HTTPS = ALWAYS | {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def init_app(app: Flask) -> None:
    """Add the security headers to every response. Headers that a view has set are kept."""
    app.after_request(_add)


def security_headers(scheme: str) -> Mapping[str, str]:
    """Return the security headers for a URL scheme: with HSTS for https."""
    return OVER_HTTPS if scheme == "https" else ALWAYS


def nonce() -> str:
    """Return the CSP nonce of this response. Every call in a request returns the same value."""
    return str(g.setdefault("nonce", token_urlsafe(16)))


def policy_of(kind: str) -> str:
    """Return the Content-Security-Policy of a kind of page, with the nonce of this response."""
    return POLICIES[kind].format(nonce=nonce())


def _add(response: Response) -> Response:
    for name, value in security_headers(request.scheme).items():
        response.headers.setdefault(name, value)
    return response
