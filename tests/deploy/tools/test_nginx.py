"""deploy/nginx in a real nginx with TLS: redirect, protocols, limits."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests
from flask import Flask

from app import create_app
from config import Config
from tests.deploy.image.certificates import make_certificate
from tests.deploy.tools.programs import DEPLOY, run
from tests.e2e.test_nginx import serve
from tests.fixtures.servers.nginx_site import FOLDER
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

MAIN = """
daemon off; master_process off; pid {folder}/pid; error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/wxpass.conf;
}}
"""
LOGIN = "/v1/apps/wxaaaa000000000001/login"
# The tests send fewer requests than the limits of deploy/nginx admit.
LOWER = {"rate=20r/s": "rate=1r/s", "burst=200": "burst=20", "rate=2r/s": "rate=1r/m"}
BURST = 20


@dataclass(frozen=True)
class Site:
    """An nginx with TLS and its certificate."""

    http: int
    https: int
    certificate: str

    @property
    def url(self) -> str:
        """The address with TLS."""
        return f"https://127.0.0.1:{self.https}"


def write_site(folder: Path, ports: tuple[int, int, int]) -> None:
    """Write deploy/nginx with the ports of http, https and the service, and a certificate."""
    certificate, key = make_certificate(folder)
    text = (FOLDER / "wxpass.conf").read_text()
    path = "/etc/letsencrypt/live/login.example.com"
    changes = {
        "listen 80;": f"listen 127.0.0.1:{ports[0]};",
        "listen 443 ": f"listen 127.0.0.1:{ports[1]} ",
        f"{path}/fullchain.pem": str(certificate),
        f"{path}/privkey.pem": str(key),
    }
    for documented, given in changes.items():
        assert text.count(documented) == 1, documented
        text = text.replace(documented, given)
    text = text.replace("/var/log/nginx/access.log", f"{folder}/access.log")
    (folder / "wxpass.conf").write_text(with_lower_limits(text))
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    (folder / "wxpass").mkdir()
    for part in (FOLDER / "wxpass").glob("*.conf"):
        shown = part.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{ports[2]}")
        (folder / "wxpass" / part.name).write_text(with_lower_limits(shown))


def with_lower_limits(text: str) -> str:
    """Replace the limits for requests of one address."""
    for documented, given in LOWER.items():
        text = text.replace(documented, given)
    return text


@pytest.fixture(scope="module")
def service(app: Flask, config: Config) -> Iterator[int]:
    """The port of the service, which trusts one proxy."""
    yield from serve(create_app(replace(config, trusted_proxies=1)))


@pytest.fixture
def site(service: int, tmp_path: Path) -> Iterator[Site]:
    """A running nginx with the files of deploy/nginx."""
    ports = free_port(), free_port()
    write_site(tmp_path, (*ports, service))
    run("nginx", "-t", "-p", str(tmp_path), "-c", f"{tmp_path}/nginx.conf", "-e", "stderr")
    command = ["/usr/sbin/nginx", "-p", str(tmp_path), "-c", f"{tmp_path}/nginx.conf"]
    process = subprocess.Popen([*command, "-e", "stderr"], stderr=subprocess.DEVNULL)
    until(lambda: all(is_open(port) for port in ports))
    yield Site(*ports, certificate=str(tmp_path / "certificate.pem"))
    process.terminate()
    process.wait(10)


def is_open(port: int) -> bool:
    """Return whether a port accepts connections."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_http_is_redirected_to_https_with_path_and_query(site: Site) -> None:
    url = f"http://127.0.0.1:{site.http}/console/?x=1"
    answer = requests.get(
        url, headers={"Host": "login.example.com"}, allow_redirects=False, timeout=5
    )
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://login.example.com/console/?x=1"


def test_one_hsts_header_is_sent(site: Site) -> None:
    answer = requests.get(f"{site.url}/healthz", verify=site.certificate, timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"].count("max-age") == 1
    assert answer.headers["Server"] == "nginx"


def negotiated(site: Site, version: ssl.TLSVersion) -> str | None:
    """Return the protocol that nginx accepts if the client offers one version."""
    context = ssl.create_default_context(cafile=site.certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    raw = socket.create_connection(("127.0.0.1", site.https), 5)
    with raw, context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
        return connection.version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nginx_accepts_tls_1_2_and_1_3_only(site: Site) -> None:
    assert negotiated(site, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert negotiated(site, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        negotiated(site, ssl.TLSVersion.TLSv1_1)


def count_refused(site: Site, method: str, path: str, how_many: int) -> int:
    """Send requests over one connection and return how many nginx refused with 429."""
    with requests.Session() as http:
        http.trust_env, http.verify = False, site.certificate
        answers = [
            http.request(method, site.url + path, json={}, timeout=10) for _ in range(how_many)
        ]
    return sum(answer.status_code == 429 and "nginx" in answer.text for answer in answers)


def test_a_flood_of_logins_from_one_address_is_refused_with_429(site: Site) -> None:
    assert count_refused(site, "POST", LOGIN, BURST) == 0
    assert count_refused(site, "POST", LOGIN, 3 * BURST) > 0
    # Other calls from the address are not limited, so people who are logged in see nothing.
    assert count_refused(site, "GET", "/v1/verify", 50) == 0


def test_console_sign_ins_have_a_lower_limit(site: Site) -> None:
    assert count_refused(site, "POST", "/console/sign-in", BURST + 5) > 0
    assert count_refused(site, "POST", LOGIN, 10) == 0


def test_the_metrics_are_not_served(site: Site) -> None:
    answer = requests.get(f"{site.url}/metrics", verify=site.certificate, timeout=5)
    assert answer.status_code == 404


def test_nginx_accepts_the_upstreams_of_compose(tmp_path: Path) -> None:
    """Without `resolve`, which nginx has had since 1.27.3, and Debian 12's has not."""
    write_site(tmp_path, (free_port(), free_port(), 8000))
    text = (DEPLOY / "compose" / "upstreams.conf").read_text()
    text = text.replace("    resolver 127.0.0.11 valid=5s;\n", "")
    text = text.replace("wxpass:8000 resolve;", "127.0.0.1:8000;")
    (tmp_path / "wxpass" / "upstreams.conf").write_text(text)
    run("nginx", "-t", "-p", str(tmp_path), "-c", f"{tmp_path}/nginx.conf", "-e", "stderr")
