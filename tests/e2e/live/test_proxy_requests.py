"""Authorization requests of Envoy and APISIX, byte for byte, sent to a real gunicorn.

Envoy and APISIX are not installed here. The requests are written after the source code of Envoy's
ext_authz HTTP service (RawHttpClientImpl::check) and of APISIX's plugin forward-auth with
lua-resty-http. The paths and URLs are those in docs/protect-your-api.md.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person
from tests.fixtures.servers.gunicorn import Service

DOCS = (Path(__file__).parents[3] / "docs" / "protect-your-api.md").read_text()
BY_APP = f"/v1/apps/{ACME_SHOP.appid}/verify"


def documented(setting: str) -> str:
    """Return the path of a setting in docs/protect-your-api.md, with the tenant acme."""
    (path,) = re.findall(rf"^ *{setting}(/\S+)$", DOCS, re.MULTILINE)
    return str(path).replace("initech", "acme")


PATH_PREFIX = documented("path_prefix: ")
APISIX_URI = documented("uri: http://wxpass:8000")
IDENTITY = ("X-User-Id", "X-Tenant-Id", "X-App-Id", "X-Session-Id")


def envoy(method: str, path: str, token: str | None, prefix: str = PATH_PREFIX) -> bytes:
    """Return the authorization request that Envoy sends for a client's request, without a body."""
    lines = [f"{method} {prefix}{path} HTTP/1.1", "host: shop.example.com", "content-length: 0"]
    lines += [f"authorization: Bearer {token}"] if token else []
    lines += ["x-envoy-internal: true", "x-forwarded-for: 203.0.113.9"]
    return "\r\n".join([*lines, "x-envoy-expected-rq-timeout-ms: 2000", "", ""]).encode()


def apisix(
    method: str, path: str, token: str | None, body: bytes | None = None, uri: str = APISIX_URI
) -> bytes:
    """Return the authorization request that APISIX sends for a client's request.

    APISIX sends GET without a body, or POST with the body of the client's request.
    """
    lines = [f"{'GET' if body is None else 'POST'} {uri} HTTP/1.1"]
    lines += ["X-Forwarded-Proto: https", f"X-Forwarded-Method: {method}"]
    lines += ["X-Forwarded-Host: shop.example.com", f"X-Forwarded-Uri: {path}"]
    lines += ["X-Forwarded-For: 203.0.113.9"]
    lines += [] if body is None else [f"Content-Length: {len(body)}"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += ["User-Agent: lua-resty-http/0.17.1 (Lua) ngx_lua/10026", "Host: wxpass:8000"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


@pytest.fixture
def connection(service: Service) -> Iterator[socket.socket]:
    """A connection to a worker that remains open for several requests."""
    service.workers(1)
    address = urlsplit(service.url)
    with closing(
        socket.create_connection((address.hostname or "", address.port or 0), 20)
    ) as opened:
        yield opened


def answer_to(request: bytes, connection: socket.socket) -> HTTPResponse:
    """Send a request, and read the response including its body."""
    connection.sendall(request)
    answer = HTTPResponse(connection, method=request.split(b" ", 1)[0].decode())
    answer.begin()
    answer.read()
    return answer


@pytest.fixture
def tokens(client: Client, alice: Person) -> tuple[str, str]:
    """Two login tokens of alice: of the tenant acme, and of the tenant globex."""
    own, foreign = (client.bind(alice, app)["token"] for app in (ACME_SHOP, GLOBEX_LIFE))
    return own, foreign


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/orders?status=open&tenant=globex"),
        ("POST", "/api/orders"),
        ("PUT", "/api/orders/1"),
        ("DELETE", "/api/orders/%2F..%2f..?x=%00"),
        ("OPTIONS", "/"),
        ("HEAD", "//api//orders/"),
        ("PROPFIND", "/../../v1/verify"),
    ],
)
def test_envoy_gets_200_only_for_tokens_of_the_configured_tenant_or_app(
    connection: socket.socket, tokens: tuple[str, str], method: str, path: str
) -> None:
    """Envoy forwards a request only if the status is exactly 200."""
    own, foreign = tokens
    for _ in range(3):
        admitted = answer_to(envoy(method, path, own), connection)
        assert admitted.status == 200
        assert admitted.headers["Content-Length"] == "0"
        assert all(admitted.headers[name] for name in IDENTITY)
        assert admitted.headers["X-App-Id"] == ACME_SHOP.appid
        assert answer_to(envoy(method, path, own, BY_APP), connection).status == 200
    for token, status in ((foreign, 403), (None, 401), ("wxp_made-up", 401)):
        refused = answer_to(envoy(method, path, token), connection)
        assert refused.status == status
        assert not any(name in refused.headers for name in IDENTITY)
        assert refused.headers["Content-Type"] == "application/problem+json"


def test_every_verify_url_in_the_documentation_rejects_tokens_of_another_tenant(
    connection: socket.socket, tokens: tuple[str, str]
) -> None:
    blocks = "".join(re.findall(r"```\w+\n(.*?)```", DOCS, re.DOTALL))
    addresses = re.findall(r"/v1/[^\s\"]*verify[^\s\"]*", blocks)
    assert len(addresses) == 5
    for address in addresses:
        for token, admitted in zip(tokens, (True, False), strict=True):
            request = apisix("GET", "/", token, None, address.replace("initech", "acme"))
            assert (answer_to(request, connection).status == 204) is admitted, address


@pytest.mark.parametrize("body", [None, b"", b"an order", b"x" * 3_000_000])
def test_apisix_gets_204_403_or_401_on_one_connection_also_with_request_bodies(
    connection: socket.socket, tokens: tuple[str, str], body: bytes | None
) -> None:
    """The service discards a request body before it reads the next request."""
    own, foreign = tokens
    path = "/api/orders?tenant=globex"
    for uri in (APISIX_URI, BY_APP):
        for token, status in ((own, 204), (foreign, 403), (None, 401), (own, 204)):
            answer = answer_to(apisix("POST", path, token, body, uri), connection)
            assert answer.status == status
            assert all((name in answer.headers) == (status == 204) for name in IDENTITY)
