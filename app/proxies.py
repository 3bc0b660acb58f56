"""Trusted proxies: client address, scheme, host and path prefix from forwarded headers."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from config.readers import Network

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FOR, PREFIX = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PREFIX"
# A path of plain segments. A prefix such as //evil.example would make links lead to another host.
PLAIN_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
# A header that lists more proxies is assumed to be forged.
MOST_HOPS = 10


def init_app(app: Flask, trusted: int | Sequence[Network]) -> None:
    """Add the middleware for forwarded headers, if any proxy is trusted."""
    if trusted:
        app.wsgi_app = TrustedProxies(app.wsgi_app, trusted)  # type: ignore[method-assign]


class TrustedProxies:
    """WSGI middleware that applies the forwarded headers of trusted proxies only.

    `trusted` is the number of proxies in front of the service, or their IP networks. With
    networks, the client is the last IP address in X-Forwarded-For outside these networks. The
    headers of a request from outside these networks are ignored.
    """

    def __init__(self, app: "WSGIApplication", trusted: int | Sequence[Network]) -> None:
        self._app, self._trusted = app, trusted
        self._fixed_by_hops = cache(self._fix)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Call the app with the client address, scheme, host and prefix from the headers."""
        if not PLAIN_PREFIX.fullmatch(environ.get(PREFIX, "")):
            environ.pop(PREFIX, None)
        # A client's unclosed quote would merge the values that proxies append into one value.
        environ[FOR] = environ.get(FOR, "").replace('"', "")
        hops = self._trusted if isinstance(self._trusted, int) else self._hops(environ)
        return self._fixed_by_hops(hops)(environ, start_response)

    def _fix(self, hops: int) -> "WSGIApplication":
        if not hops:
            return self._app
        # Each proxy appends to X-Forwarded-For. With networks, only the nearest proxy is trusted to
        # set the other headers.
        others = hops if isinstance(self._trusted, int) else 1
        return ProxyFix(self._app, hops, x_proto=others, x_host=others, x_prefix=others)

    def _hops(self, environ: "WSGIEnvironment") -> int:
        """Return the number of consecutive trusted proxies, counted from this server outwards."""
        senders = [environ.get("REMOTE_ADDR", ""), *reversed(environ[FOR].split(","))][:MOST_HOPS]
        outside = (place for place, one in enumerate(senders) if not self._is_trusted(one))
        return next(outside, len(senders) - 1)

    def _is_trusted(self, text: str) -> bool:
        address = parse_address(text)
        networks = () if isinstance(self._trusted, int) else self._trusted
        return address is not None and any(address in network for network in networks)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address in a text, or None if the text is no IP address.

    A port, which some proxies add, is ignored. An IPv4-mapped address such as ::ffff:192.0.2.1,
    which dual-stack sockets report, is returned as IPv4.
    """
    text = text.strip()
    for spelling in (text, text.rpartition(":")[0].strip("[]"), text.strip("[]")):
        with suppress(ValueError):
            address = ip_address(spelling)
            return getattr(address, "ipv4_mapped", None) or address
    return None
