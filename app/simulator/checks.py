"""Checks before a call is executed: parameters, secret, IP address, signature."""

import hmac
import ipaddress
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from app.simulator.refusals import Refusal
from app.simulator.session_keys import Owner, SessionKey
from app.simulator.world import App, World

_ALWAYS_REQUIRED = {"appid": 41002, "secret": 41004}


def check_app(world: World, given: Mapping[str, Any], grant_type: str, **required: int) -> App:
    """Return the app that the appid and secret authenticate.

    Checks presence, grant_type, appid and secret, in this order. WeChat does not document its
    order; this one matches observed responses.
    """
    for name, errcode in {**_ALWAYS_REQUIRED, **required}.items():
        if not given.get(name):
            raise Refusal(errcode)
    if given.get("grant_type") != grant_type:
        raise Refusal(40002)
    app = world.apps.get(str(given["appid"]))
    if app is None:
        raise Refusal(40013)
    _check_secret(app, str(given["secret"]))
    return app


def check_ip(app: App, address: str) -> None:
    """Raise 40164 for an address outside the app's whitelist. An empty whitelist allows all."""
    if app.ip_whitelist and not any(ip_matches(address, entry) for entry in app.ip_whitelist):
        raise Refusal(40164, ip=address)


def ip_matches(address: str, entry: str) -> bool:
    """Return whether an address matches an IP, a wildcard or a CIDR.

    Raises ValueError if the CIDR is malformed.
    """
    if "/" in entry:
        return ipaddress.ip_address(address) in ipaddress.ip_network(entry, strict=False)
    return fnmatchcase(address, entry)


def check_signature(
    world: World, appid: str, given: Mapping[str, str], *, missing_key: int
) -> tuple[Owner, SessionKey]:
    """Return the person and the session_key that signed the empty string.

    The HMAC key is the base64 text of the session_key, not the decoded bytes.
    """
    if not given.get("openid") or not given.get("signature"):
        raise Refusal(40097)
    if given.get("sig_method") != "hmac_sha256":
        raise Refusal(87008)
    owner = world.find_owner(appid, given["openid"])
    key = world.session_keys.find(owner, world.now()) if owner else None
    if owner is None or key is None:
        raise Refusal(missing_key)
    expected = hmac.new(key.value.encode(), b"", "sha256").hexdigest()
    if not hmac.compare_digest(expected.encode(), given["signature"].encode()):
        raise Refusal(87009)
    return owner, key


def _check_secret(app: App, secret: str) -> None:
    if not hmac.compare_digest(app.secret.encode(), secret.encode()):
        raise Refusal(40125)
    if app.frozen:
        raise Refusal(40243)
