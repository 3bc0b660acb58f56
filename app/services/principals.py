"""Principals: the authenticated party of a request, and the device it comes from."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from uuid import UUID

# What WeChat's User-Agent says about the network.
NETWORK = re.compile(r"NetType/\S+")


@dataclass(frozen=True, slots=True)
class Principal:
    """The party that a login token authenticates. `user_id` is None while it is unbound."""

    session_id: UUID
    tenant_id: UUID
    tenant_slug: str
    appid: str
    social_account_id: UUID | None
    user_id: UUID | None
    token_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request comes from: User-Agent and address, as far as they are known.

    `has_disconnected` says whether the client no longer waits for the response.
    """

    name: str | None
    ip: str | None
    has_disconnected: Callable[[], bool] = field(default=bool, repr=False, compare=False)

    @property
    def network(self) -> str:
        """The address; of IPv6 the /64, which is what one household has."""
        address = ip_address(self.ip) if self.ip else None
        if isinstance(address, IPv6Address):
            return str(ip_network((address, 64), strict=False))
        return str(address)

    @property
    def model(self) -> str | None:
        """The User-Agent without the network, which changes."""
        return self.name and NETWORK.sub("", self.name)
