"""Forwarded headers: accepted from trusted proxies only."""

from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask, jsonify, request
from werkzeug.test import TestResponse

from app import proxies
from app.proxies import parse_address
from config.readers import Network

NETWORKS: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("::1"))
ALL = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "login.example",
    "X-Forwarded-Prefix": "/auth",
}


def ask(trusted: int | tuple[Network, ...], sender: str, headers: dict[str, str]) -> Any:
    """Send a request through the middleware.

    Return the client address, scheme, host and prefix that the application receives.
    """
    app = Flask("seen")

    @app.get("/x")
    def see() -> Any:
        return jsonify(request.remote_addr, request.scheme, request.host, request.root_path)

    proxies.init_app(app, trusted)
    environ = {"REMOTE_ADDR": sender}
    answer: TestResponse = app.test_client().get("/x", headers=headers, environ_overrides=environ)
    return answer.json


def client_address(trusted: int | tuple[Network, ...], sender: str, forwarded_for: str) -> str:
    """Return the client address that the application receives."""
    return str(ask(trusted, sender, {"X-Forwarded-For": forwarded_for})[0])


FORWARDED = ["203.0.113.9", "https", "login.example", "/auth"]
OWN = ["http", "localhost", ""]


@pytest.mark.parametrize(
    ("trusted", "sender", "seen"),
    [
        (0, "10.0.0.1", ["10.0.0.1", *OWN]),
        (1, "10.0.0.1", FORWARDED),
        (NETWORKS, "10.0.0.1", FORWARDED),
        (NETWORKS, "::1", FORWARDED),
        (NETWORKS, "::ffff:10.0.0.1", FORWARDED),
        (NETWORKS, "192.0.2.1", ["192.0.2.1", *OWN]),
        (NETWORKS, "", ["", *OWN]),
    ],
)
def test_forwarded_headers_are_applied_only_if_a_trusted_proxy_sent_them(
    trusted: int | tuple[Network, ...], sender: str, seen: list[str]
) -> None:
    assert ask(trusted, sender, ALL) == seen


@pytest.mark.parametrize(
    ("trusted", "forwarded_for", "client"),
    [
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (NETWORKS, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (NETWORKS, "198.51.100.7, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        (NETWORKS, "203.0.113.9:4711, 10.1.1.1:80", "203.0.113.9:4711"),
        (NETWORKS, "10.2.2.2, 10.1.1.1", "10.2.2.2"),
        (NETWORKS, "203.0.113.9, made up, 10.1.1.1", "made up"),
    ],
)
def test_the_client_address_is_the_last_one_that_is_not_of_a_trusted_proxy(
    trusted: int | tuple[Network, ...], forwarded_for: str, client: str
) -> None:
    assert client_address(trusted, "10.0.0.1", forwarded_for) == client


@pytest.mark.parametrize("trusted", [1, NETWORKS])
def test_an_unclosed_quote_in_x_forwarded_for_does_not_change_the_client_address(
    trusted: int | tuple[Network, ...],
) -> None:
    assert client_address(trusted, "10.0.0.1", '"198.51.100.7, 203.0.113.9') == "203.0.113.9"


@pytest.mark.parametrize(
    "prefix",
    ["//evil.example", "https://evil.example", "/a//b", "/..", "/a/../b", "auth", "/a?b", "/a%2f"],
)
def test_an_x_forwarded_prefix_that_is_not_a_plain_path_is_ignored(prefix: str) -> None:
    assert ask(1, "10.0.0.1", {"X-Forwarded-Prefix": prefix})[3] == ""


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:443 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("unknown", "None"),
        ("", "None"),
    ],
)
def test_parse_address_removes_ports_and_returns_ipv4_mapped_addresses_as_ipv4(
    text: str, normalized: str
) -> None:
    assert str(parse_address(text)) == normalized
