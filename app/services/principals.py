"""Principals: the authenticated party of a request, and the device of the request."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from uuid import UUID

# The network type in WeChat's User-Agent.
NETWORK = re.compile(r"NetType/\S+")


@dataclass(frozen=True, slots=True)
class Principal:
    """The party that a login token authenticates. `user_id` is None for an unbound session."""

    session_id: UUID
    tenant_id: UUID
    tenant_slug: str
    appid: str
    social_account_id: UUID | None
    user_id: UUID | None
    token_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """The source of a request: `name` is the User-Agent, `ip` the IP address, None if unknown.

    `has_disconnected` returns whether the client no longer waits for the response.
    """

    name: str | None
    ip: str | None
    has_disconnected: Callable[[], bool] = field(default=bool, repr=False, compare=False)

    @property
    def network(self) -> str:
        """Return the IPv4 address, or the /64 network of an IPv6 address (one household)."""
        address = ip_address(self.ip) if self.ip else None
        if isinstance(address, IPv6Address):
            return str(ip_network((address, 64), strict=False))
        return str(address)

    @property
    def model(self) -> str | None:
        """Return the User-Agent without the network type, which changes."""
        return self.name and NETWORK.sub("", self.name)
