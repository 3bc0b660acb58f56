"""`/metrics` of a real gunicorn with two workers: ended workers, `make reload`, a used port."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from config import load_config
from config.development import fill
from config.metrics.child import INHERITED
from tests.e2e.upgrade.conftest import Gunicorn, running
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Person, WeChat, service_of
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

# Text that clients choose. It must not become a label.
SECRET_TEXT = "dontprintme"


class Metrics:
    """The metrics port of a running service."""

    def __init__(self, gunicorn: Gunicorn, port: int) -> None:
        self.gunicorn = gunicorn
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.port = port

    def scrape(self) -> str:
        """Return the text of a scrape."""
        answer = requests.get(self.url, timeout=10)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.text

    def find(self, name: str, **labels: str) -> float | None:
        """Return the sum of the samples of a metric with these labels, None without a sample."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        with suppress(requests.ConnectionError):
            found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", self.scrape(), re.MULTILINE)
            values = [float(value) for own, value in found if all(one in own for one in wanted)]
            return sum(values) if values else None
        return None

    def wait_for(self, expected: float, name: str, **labels: str) -> None:
        """Wait until the sum of the samples is `expected`."""
        until(lambda: self.find(name, **labels) == expected, 60)

    def workers(self) -> list[psutil.Process]:
        """Return the workers: the children of the master that have been forked."""
        assert self.gunicorn.pid
        master = psutil.Process(self.gunicorn.pid)
        return [one for one in master.children() if "config.metrics.exporter" not in one.cmdline()]

    def exporter(self) -> psutil.Process:
        """Return the process that serves the port."""
        assert self.gunicorn.pid
        children = psutil.Process(self.gunicorn.pid).children()
        return next(one for one in children if "config.metrics.exporter" in one.cmdline())


@pytest.fixture(scope="module")
def metrics(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    settings = os.environ | environ
    fill(settings)
    with service_of(load_config(settings)):
        pass
    port = free_port()
    folders = tmp_path_factory.mktemp("temporary")
    own = {"METRICS_BIND": f"127.0.0.1:{port}", "TMPDIR": str(folders)}
    with running(environ | own, tmp_path_factory.mktemp("gunicorn")) as gunicorn:
        served = Metrics(gunicorn, port)
        served.wait_for(2, "wxpass_workers")
        yield served
    until(lambda: list(folders.glob("wxpass-metrics-*")) == [], 30)


@pytest.fixture(scope="module")
def person(wechat: WeChat) -> Person:
    """A person who opens the mini-program of acme."""
    return Person(wechat, "metrics", "13800001111")


def log_in(metrics: Metrics, person: Person, times: int = 1) -> list[str]:
    """Log the person in, each time over a new connection. Return the login tokens."""
    url = f"{metrics.gunicorn.url}/v1/apps/{ACME_SHOP.appid}/login"
    answers = [
        requests.post(url, json={"code": person.wx_login()}, timeout=20) for _ in range(times)
    ]
    return [answer.json()["token"] for answer in answers]


def test_counts_of_all_workers_survive_an_ended_worker_and_a_reload(
    metrics: Metrics, person: Person
) -> None:
    """After `make reload`, the exporter of the second master serves the counts of all processes."""
    logins = {"app": ACME_SHOP.appid, "method": "code", "result": "ok"}
    route = {"route": "/v1/apps/<string:appid>/login", "method": "POST", "status": "200"}
    log_in(metrics, person, 20)
    metrics.wait_for(20, "wxpass_logins_total", **logins)
    metrics.wait_for(20, "wxpass_http_request_duration_seconds_count", **route)

    first, *_ = metrics.workers()
    os.kill(first.pid, signal.SIGKILL)
    first.wait(30)
    until(lambda: metrics.find("wxpass_worker_memory_bytes", pid=str(first.pid)) is None)
    metrics.wait_for(2, "wxpass_workers")
    log_in(metrics, person, 5)
    metrics.wait_for(25, "wxpass_logins_total", **logins)

    exporter = metrics.exporter()
    done = metrics.gunicorn.reload()
    assert done.returncode == 0, done.stderr
    until(lambda: metrics.find("wxpass_workers") == 2, 60)
    assert metrics.exporter() != exporter
    assert not exporter.is_running()
    log_in(metrics, person, 5)
    metrics.wait_for(30, "wxpass_logins_total", **logins)
    metrics.wait_for(30, "wxpass_http_request_duration_seconds_count", **route)


def test_exporter_is_started_again_if_it_ends(metrics: Metrics) -> None:
    exporter = metrics.exporter()
    exporter.kill()
    until(lambda: metrics.find("wxpass_workers") == 2, 60)
    assert metrics.exporter().pid != exporter.pid


def test_exporter_has_no_secrets_in_its_environment(metrics: Metrics) -> None:
    assert metrics.exporter().environ().keys() <= {*INHERITED, "LC_CTYPE"}


def test_metrics_contain_no_secret_and_pass_promtool(metrics: Metrics, person: Person) -> None:
    """After logins, refused ones, and requests with unusual paths and methods.

    Debian's package `prometheus` contains promtool.
    """
    url = metrics.gunicorn.url
    (token,) = log_in(metrics, person)
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/v1/me", "/v1/verify", f"/v1/{SECRET_TEXT}", f"/v1/apps/{SECRET_TEXT}/login"):
        requests.get(url + path, headers=headers, timeout=20)
        requests.post(url + path, headers=headers, json={"code": SECRET_TEXT}, timeout=20)
    requests.post(f"{url}/v1/apps/wx{'9' * 16}/login", json={"code": SECRET_TEXT}, timeout=20)
    requests.request(SECRET_TEXT, url, timeout=20)
    code = {"code": person.wx_login()}
    requests.post(f"{url}/v1/apps/{GLOBEX_LIFE.appid}/login", json=code, timeout=20)
    metrics.wait_for(1, "wxpass_logins_total", app=GLOBEX_LIFE.appid, result="refused")
    metrics.wait_for(1, "wxpass_http_request_duration_seconds_count", method="other")
    until(lambda: metrics.find("wxpass_signing_key_age_seconds") is not None, 60)
    assert metrics.find("wxpass_alerts_sent_total", result="failed") == 0

    text = metrics.scrape()
    for secret in (token, SECRET_TEXT, "9" * 16, person.phone, ACME_SHOP.secret, code["code"]):
        assert secret not in text
    assert not re.search(r"wx[pr]_\w{8}|[0-9a-f]{32}|openid|session_key", text)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_port_in_use_does_not_stop_the_service(
    environ: dict[str, str], tmp_path: Path, metrics: Metrics
) -> None:
    """The exporter logs a warning and serves the port as soon as it is free."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        own = {"METRICS_BIND": f"127.0.0.1:{port}", "GUNICORN_WORKERS": "1"}
        with running(environ | own, tmp_path / "second") as gunicorn:
            until(lambda: "metrics_port_unavailable" in gunicorn.log, 30)
            assert gunicorn.log.count("metrics_port_unavailable") == 1
            other.close()
            until(lambda: Metrics(gunicorn, port).find("wxpass_workers") == 1, 30)
