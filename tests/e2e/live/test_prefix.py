"""The service below a path prefix, under gunicorn: SCRIPT_NAME and X-Forwarded-Prefix."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask

from config import Config
from tests.e2e.live.conftest import Database
from tests.fixtures.personas import ACME_SHOP
from tests.fixtures.servers.gunicorn import Service, is_ready, serving
from tests.fixtures.waiting import until

SETTINGS = [{"SCRIPT_NAME": "/auth"}, {"TRUSTED_PROXIES": "1"}, {"TRUSTED_PROXIES": "127.0.0.0/8"}]


@pytest.fixture(scope="module", params=SETTINGS, ids=["script_name", "one_proxy", "network"])
def mounted(
    request: pytest.FixtureRequest,
    live_app: Flask,
    live_config: Config,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Service, dict[str, str]]]:
    """The service below /auth, and the headers of a proxy that removes /auth from the path."""
    folder = tmp_path_factory.mktemp("prefix")
    headers = {} if "SCRIPT_NAME" in request.param else {"X-Forwarded-Prefix": "/auth"}
    settings = {"DATABASE_URL": database.server.url, "GUNICORN_WORKERS": "1"} | request.param
    with serving(live_config, folder, **settings) as service:
        service.url += "/auth" if "SCRIPT_NAME" in request.param else ""
        until(lambda: is_ready(service.url))
        yield service, headers


def test_redirects_links_cookies_and_openapi_contain_the_path_prefix(
    mounted: tuple[Service, dict[str, str]],
) -> None:
    service, headers = mounted
    answer = requests.get(
        f"{service.url}/console/", headers=headers, timeout=5, allow_redirects=False
    )
    assert answer.headers["Location"] == "/auth/console/sign-in?next=/console/"
    page = requests.get(f"{service.url}/console/sign-in", headers=headers, timeout=5)
    assert 'href="/auth/console/assets/console-' in page.text
    assert "Path=/auth" in page.headers["Set-Cookie"]
    document = requests.get(f"{service.url}/openapi.json", headers=headers, timeout=5).json()
    assert [server["url"] for server in document["servers"]] == ["/auth"]
    login = requests.post(
        f"{service.url}/v1/apps/{ACME_SHOP.appid}/login", json={}, headers=headers, timeout=5
    )
    assert login.status_code == 422


def test_a_client_cannot_set_the_path_prefix_by_a_header(
    mounted: tuple[Service, dict[str, str]],
) -> None:
    """gunicorn reads SCRIPT_NAME from the environment, and no spelling of a header replaces it."""
    service, headers = mounted
    url = urlsplit(service.url)
    for name in ("SCRIPT_NAME", "Script-Name", "Script_Name", "HTTP_SCRIPT_NAME"):
        sent = headers | {name: "//evil.example"}
        lines = "".join(f"{header}: {value}\r\n" for header, value in sent.items())
        head = f"GET {url.path}/console/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n"
        with socket.create_connection((url.hostname or "", url.port or 0), 5) as connection:
            connection.sendall(head.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        assert "evil" not in answer, name
        assert "\r\nLocation: /auth/console/sign-in" in answer, name
