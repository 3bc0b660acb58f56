"""Check of URLs and of the addresses of their hosts."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from app.notifications.failures import NotDelivered, Reason

MOST_URL = 1000
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
# A name with a top-level domain. IP addresses, also 127.1, 0x7f.1 and [::1], do not match.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Networks that `is_global` does not exclude in all versions of Python.
_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24"),  # protocols, relays of 6to4
        "168.63.129.16/32",  # services of Azure for its own machines
        *("2001::/23", "2001:db8::/32", "3fff::/20"),  # protocols, documentation
        "2002::/16",  # 6to4: contains an IPv4 address
    )
]

# Returns the addresses of a host. Raises OSError.
Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class HttpsUrl:
    """A valid URL of an operator. `host` is in lower case; `target` is the path with the query."""

    host: str
    port: int
    target: str


def read_url(url: str) -> HttpsUrl:
    """Return the parts of an HTTPS URL. Raise NotDelivered for other URLs.

    Users, passwords, fragments, IP addresses and characters that need encoding are refused.
    """
    if len(url) > MOST_URL or not _VISIBLE_ASCII.fullmatch(url) or "\\" in url or "#" in url:
        raise NotDelivered(Reason.URL_INVALID)
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise NotDelivered(Reason.URL_INVALID) from None
    host = parts.hostname or ""
    if parts.scheme != "https" or "@" in parts.netloc or not _HOST.fullmatch(host):
        raise NotDelivered(Reason.URL_INVALID)
    query = f"?{parts.query}" if parts.query else ""
    return HttpsUrl(host, port, f"{parts.path or '/'}{query}")


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host in the order of the resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def public_addresses(resolver: Resolver, host: str, port: int) -> Sequence[str]:
    """Resolve a host once, and return its addresses if all are public. Raise NotDelivered."""
    try:
        addresses = resolver(host, port)
    except (OSError, UnicodeError):
        raise NotDelivered(Reason.HOST_UNKNOWN) from None
    if not addresses:
        raise NotDelivered(Reason.HOST_UNKNOWN)
    if not all(is_public(address) for address in addresses):
        raise NotDelivered(Reason.ADDRESS_NOT_PUBLIC)
    return addresses


def is_public(text: str) -> bool:
    """Return whether an address is a unicast address of the public Internet.

    IPv6 addresses that contain an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) are not
    public here, because the network may translate them to a private one.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and (
        address.scope_id is not None or address not in _GLOBAL_UNICAST
    ):
        return False
    is_unicast = not address.is_multicast and not address.is_reserved
    return address.is_global and is_unicast and not any(address in one for one in _NOT_PUBLIC)
