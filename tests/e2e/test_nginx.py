"""deploy/nginx in a real nginx, which authenticates requests for a back end."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from app.version import VERSION
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader
from tests.fixtures.servers.nginx_site import listening, whole_site
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
IDENTITY = ("X-User-Id", "X-Tenant-Id", "X-App-Id", "X-Session-Id")
FORGED = {name: "forged" for one in IDENTITY for name in (one, one.lower(), one.replace("-", "_"))}
NGINX_CONF = """
daemon off; master_process off; pid {folder}/pid; error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/wxpass.conf;
}}
"""


def business() -> Flask:
    """Return a back end that responds with the headers and the body of the request."""
    app = Flask("business")

    @app.route("/<path:path>", methods=["GET", "POST"])
    def echo(path: str) -> Response:
        return jsonify(headers=list(request.headers), body=request.get_data(as_text=True))

    return app


def serve(app: Flask) -> Iterator[int]:
    """Serve an app on a free port. Yield the port, and stop the server afterwards."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def back_end() -> Iterator[int]:
    """The port of the back end."""
    yield from serve(business())


@pytest.fixture(scope="module")
def wxpass(app: Flask) -> Iterator[int]:
    """The port of the service."""
    yield from serve(app)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the access log of nginx."""
    return tmp_path_factory.mktemp("log") / "wxpass.log"


@pytest.fixture(scope="module")
def nginx(
    wxpass: int, back_end: int, log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of an nginx with deploy/nginx."""
    text = configured(wxpass, back_end, log)
    with running(text, tmp_path_factory.mktemp("nginx")) as url:
        yield url


def configured(
    wxpass: int, back_end: int, log: Path, verify: str = "/v1/verify?tenant=acme"
) -> str:
    """Return deploy/nginx with other ports, log file and path of the authorization request."""
    text = whole_site().replace("/var/log/nginx/access.log", str(log))
    changes = {":8000;": f":{wxpass};", ":9000;": f":{back_end};"}
    changes["/v1/verify?tenant=initech;"] = f"{verify};"
    for documented, replacement in changes.items():
        assert text.count(documented) == 1
        text = text.replace(documented, replacement)
    return text


@contextmanager
def running(text: str, folder: Path) -> Iterator[str]:
    """Run nginx with a configuration inside the block. Yield the URL.

    If nginx is not installed, skip the test, or fail in CI.
    """
    if NGINX is None:
        missing = "nginx is not installed; on Debian and Ubuntu: apt-get install nginx-light"
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    port = free_port()
    (folder / "wxpass.conf").write_text(listening(text, port, free_port()))
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder))
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(port, process)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.communicate(timeout=10)


def wait_for(port: int, running: subprocess.Popen[str]) -> None:
    """Wait until nginx accepts connections. Fail the test if nginx exits."""

    def accepts_connections() -> bool:
        if running.poll() is not None:
            pytest.fail(f"nginx ended: {running.communicate()[1]}")
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(accepts_connections)
    except AssertionError:
        running.kill()
        raise


@pytest.mark.parametrize("prefix", ["", "__Host-", "__Secure-"])
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("a=1; ", ""), ("", "; b=2"), ("a=1; ", "; b=2")]
)
def test_nginx_does_not_forward_the_session_cookie_of_the_console(
    nginx: str, prefix: str, before: str, after: str
) -> None:
    cookie = f"{before}{prefix}wxpass_console=secret{after}"
    answer = requests.get(f"{nginx}/api/public/x", headers={"Cookie": cookie}, timeout=5)
    sent = dict(answer.json()["headers"]).get("Cookie", "")
    assert "secret" not in sent
    assert ("a=1" in sent, "b=2" in sent) == (bool(before), bool(after))


@pytest.mark.parametrize(
    "cookie",
    [
        "__Host-wxpass_console=secret; wxpass_console=planted",
        "wxpass_console=planted; __Host-wxpass_console=secret",
        "__Host-wxpass_console=secret; x=1; __Secure-wxpass_console=planted",
        "wxpass_console=1; __Host-wxpass_console=secret; wxpass_console=2; x=3",
        "x=1;__Host-wxpass_console=secret;y=2",
        "x=1;  __Host-wxpass_console=secret",
    ],
)
def test_nginx_does_not_forward_the_session_cookie_beside_cookies_of_the_same_name(
    nginx: str, cookie: str
) -> None:
    """A back end on the same host can set a cookie with the name of the session cookie."""
    answer = requests.get(f"{nginx}/api/public/x", headers={"Cookie": cookie}, timeout=5)
    assert "secret" not in str(answer.json()["headers"])


def test_nginx_does_not_forward_a_path_prefix_of_the_client(nginx: str) -> None:
    headers = {"X-Forwarded-Prefix": "/forged", "X-Forwarded-For": "192.0.2.77"}
    answer = requests.get(f"{nginx}/api/public/x", headers=headers, timeout=5)
    received = dict(answer.json()["headers"])
    assert "X-Forwarded-Prefix" not in received
    assert received["X-Forwarded-For"] == "127.0.0.1"


def ask(url: str, token: str | None = None, body: str | None = None) -> requests.Response:
    """Send a request with forged identity headers."""
    headers = FORGED | ({"Authorization": f"Bearer {token}"} if token else {})
    return requests.request("POST" if body else "GET", url, headers=headers, data=body, timeout=5)


def identity(answer: requests.Response) -> list[tuple[str, str]]:
    """Return the identity headers that the back end received, with any case and separator."""
    headers = [(name.replace("_", "-").title(), value) for name, value in answer.json()["headers"]]
    return sorted((name, value) for name, value in headers if name in IDENTITY)


def test_the_back_end_receives_the_identity_headers_of_wxpass(
    nginx: str, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    ((user, tenant, session),) = rows(
        "SELECT user_id, tenant_id, id FROM login_sessions WHERE user_id NOTNULL"
    )
    expected = list(zip(IDENTITY, map(str, (user, tenant, ACME_SHOP.appid, session)), strict=True))
    for body in (None, "an order" * 5_000):
        answer = ask(f"{nginx}/api/orders", token, body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["body"] == (body or "")
        assert identity(answer) == sorted(expected)


def test_a_request_without_a_user_gets_the_401_problem_document_of_wxpass(
    nginx: str, client: Client, bob: Person
) -> None:
    unbound = client.log_in(bob)["token"]
    for token, code in ((None, "token_missing"), ("wxp_x", "token_invalid"), (unbound, "no_user")):
        for body in (None, "an order"):
            answer = ask(f"{nginx}/api/orders", token, body)
            assert answer.status_code == 401
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["code"] == code
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert ask(f"{nginx}/_wxpass_verify").status_code == 404


FOREIGN = (403, "token_of_another_tenant")


@pytest.mark.parametrize("query", ["", "?tenant=acme", "?tenant=globex", "?x=y&tenant=acme#z"])
@pytest.mark.parametrize("path", ["/api/orders", "/api/v1/verify", "/api//x/%2e/y"])
def test_requests_of_users_of_another_tenant_do_not_reach_the_back_end(
    nginx: str, client: Client, alice: Person, query: str, path: str
) -> None:
    """Path and query of the client's request cannot change the tenant that nginx requires."""
    foreign, own = (client.bind(alice, app)["token"] for app in (GLOBEX_LIFE, ACME_SHOP))
    for body in (None, "an order"):
        refused = ask(nginx + path + query, foreign, body)
        assert (refused.status_code, refused.json()["code"]) == FOREIGN
        assert ask(nginx + path + query, own, body).status_code == 200


# The status that a client gets with each path of the authorization request.
AUDIENCES = {
    "/v1/verify": 200,
    f"/v1/apps/{ACME_SHOP.appid}/verify": 200,
    "/v1/tenants/acme/verify": 200,
    "/v1/verify/?tenant=acme": 200,
    f"/v1/apps/{GLOBEX_LIFE.appid}/verify": 403,
    "/v1/apps/wxunknown/verify": 403,
    "/v1/verify?tenant=unknown": 403,
    "/v1/verify?tenant=": 403,
    "/v1/verify?tennant=acme": 500,
}


@pytest.mark.parametrize("verify", AUDIENCES)
def test_nginx_returns_403_for_an_unknown_audience_and_500_for_a_misspelt_parameter(
    wxpass: int, back_end: int, tmp_path: Path, client: Client, alice: Person, verify: str
) -> None:
    """The audience is the tenant or app in the path of the authorization request."""
    token = client.bind(alice)["token"]
    text = configured(wxpass, back_end, tmp_path / "log", verify)
    with running(text, tmp_path) as url:
        for query in ("", "?tenant=acme&x=y"):
            assert ask(f"{url}/api/orders{query}", token).status_code == AUDIENCES[verify]
        assert ask(f"{url}/api/orders").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/orders/../public/x",
        "/api/orders/%2e%2e/public/x",
        "/api/public/..;/orders",
        "/api/public/..%3b/orders",
        "/api/public/..%5corders",
        "/api/public/..\\orders",
        "/api/public/%252e%252e/orders",
        "/api/public/%252e%252e%252forders",
    ],
)
def test_nginx_rejects_a_path_with_dot_segments_or_encoded_separators(
    nginx: str, path: str
) -> None:
    with socket.create_connection(("127.0.0.1", int(nginx.rpartition(":")[2])), 5) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert client.recv(64).startswith(b"HTTP/1.1 40")


def test_nginx_forwards_a_public_path_with_encoded_characters(nginx: str) -> None:
    for path in ("%E6%96%B0%E9%97%BB", "a%20b.html", "v1.2/x?next=%2Fa%2F..%3B%25"):
        assert ask(f"{nginx}/api/public/{path}").status_code == 200


def test_nginx_removes_forged_identity_headers_from_public_requests(
    nginx: str, client: Client, alice: Person
) -> None:
    token = client.bind(alice)["token"]
    for sent in (None, token):
        answer = ask(f"{nginx}/api/public/news", sent)
        assert (answer.status_code, identity(answer)) == (200, [])
    assert ask(f"{nginx}/healthz").json() == {"status": "ok", "version": VERSION}


def test_the_access_log_of_nginx_contains_no_query_with_a_phone_number(
    nginx: str, log: Path
) -> None:
    assert ask(f"{nginx}/v1/admin/tenants/acme/users?phone=13800138000").status_code == 401
    # nginx writes the log line after it has sent the response.
    until(lambda: "GET /v1/admin/tenants/acme/users 401" in log.read_text())
    assert "13800138000" not in log.read_text()


def test_nginx_accepts_larger_bodies_for_user_imports_than_for_other_requests(nginx: str) -> None:
    file = "x" * 2_000_000
    assert ask(f"{nginx}/v1/admin/tenants/acme/imports", body=file).status_code == 401
    assert "/console/sign-in" in ask(f"{nginx}/console/t/acme/people/preview", body=file).url
    assert ask(f"{nginx}/v1/apps/x/login", body=file).status_code == 413
