"""`make run` with all its processes: gunicorn, PostgreSQL and the WeChat simulator."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.fixtures.personas import App, Person, WeChat
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SHOP = App("wxaaaa000000000001", "acme", "")
NO_WECHAT = {"WECHAT_API_BASE_URL": "http://127.0.0.1:9", "GUNICORN_WORKERS": "1"}


@dataclass
class Copy:
    """A running `make run` with its own ports and data folder."""

    process: "subprocess.Popen[str]"
    environ: dict[str, str]
    output: str

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.environ['PORT']}"

    @property
    def wechat(self) -> WeChat:
        return WeChat(f"http://127.0.0.1:{self.environ['SIMULATOR_PORT']}")

    def post(self, what: str, appid: str = SHOP.appid, **body: Any) -> requests.Response:
        """Send a POST request to `/v1/apps/<appid>/<what>`."""
        return requests.post(f"{self.service}/v1/apps/{appid}/{what}", json=body, timeout=20)

    def command(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a Flask command with the environment of this copy."""
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def start(var: Path, ready: str = "/me", **more: str) -> Copy:
    """Start `make run`, and wait until it prints a line that contains `ready`."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {
        "WXPASS_VAR": str(var),
        "PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
    }
    environ |= {"GUNICORN_WORKERS": "2", "DATABASE_POOL_SIZE": "5", "GUNICORN_KEEPALIVE": "1"}
    environ |= more
    process = subprocess.Popen(
        [sys.executable, "-m", "config.development.run"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = ""
    for line in process.stdout or ():
        output += line
        if ready in line:
            return Copy(process, environ, output)
    raise AssertionError(output)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A running copy that started with an empty data folder."""
    running = start(tmp_path_factory.mktemp("newcomer") / "var")
    yield running
    stop(running, signal.SIGTERM)


def stop(running: Copy, with_signal: int) -> None:
    """Stop a copy by a signal, and check that all its processes end."""
    family = psutil.Process(running.process.pid).children(recursive=True)
    running.process.send_signal(with_signal)
    running.process.communicate(timeout=40)
    assert running.process.returncode == 0
    _gone, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_the_commands_that_make_run_prints_log_a_user_in(copy: Copy) -> None:
    commands = copy.output[copy.output.index("SIM=") :]
    done = subprocess.run(["sh"], input=commands, capture_output=True, text=True, check=True)
    me = json.loads(done.stdout.strip().splitlines()[-1])
    assert (me["account"], me["phone"]) == ("alice", "+8613800138001")


def test_the_commands_in_the_readme_log_a_user_in(copy: Copy) -> None:
    """Only the URLs are replaced by those of this copy."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (calls,) = (block for block in blocks if "/_simulator/login" in block)
    for address, own in (
        ("http://127.0.0.1:8000", copy.service),
        ("http://127.0.0.1:8001", copy.wechat.url),
    ):
        assert calls.count(address) == 1
        calls = calls.replace(address, own)
    done = subprocess.run(["sh"], input=calls, capture_output=True, text=True, check=True)
    me = json.loads(done.stdout)
    assert (me["account"], me["phone"]) == ("alice", "+8613800138001")


def test_the_landing_page_links_to_the_demo_phone_that_make_run_serves(copy: Copy) -> None:
    page = requests.get(copy.service, timeout=5).text
    (phone,) = set(re.findall(r'href="(http[^"]*)"', page))
    assert phone in copy.output
    assert requests.get(phone, timeout=5).status_code == 200


def test_the_operator_that_make_run_prints_can_sign_in_to_the_console(copy: Copy) -> None:
    email, password = re.findall(r"/console/ +(\S+) +(\S+)", copy.output)[0]
    with requests.Session() as browser:
        page = browser.get(f"{copy.service}/console/sign-in", timeout=5).text
        token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)[0]
        form = {"csrf_token": token, "email": email, "password": password}
        answer = browser.post(f"{copy.service}/console/sign-in", data=form, timeout=5)
    assert answer.url == f"{copy.service}/console/tenants/"
    assert "Acme 商城" in answer.text


def test_every_worker_accepts_an_app_that_was_added_and_verified_by_command(
    copy: Copy,
) -> None:
    """The workers are not restarted. They accept the appid once WeChat accepts the AppSecret."""
    appid, secret = "wx00000000000000ff", "5e" * 16

    def codes() -> set[str]:
        answers = [copy.post("login", appid, code="x") for _ in range(8)]
        return {answer.json()["code"] for answer in answers}

    assert codes() == {"app_unknown"}
    options = ["--tenant", "acme", "--name", "New", "--registration", "on_login", "--secret-stdin"]
    added = copy.command("apps", "add", appid, *options, stdin=secret)
    assert added.returncode == 1, added.stderr
    assert "is pending for acme" in added.stdout
    assert codes() == {"app_unknown"}
    copy.wechat.control("apps", appid=appid, secret=secret, open_platform="acme")
    verified = copy.command("apps", "verify", appid)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert codes() == {"code_invalid"}
    listed = copy.command("users", "list", "--tenant", "acme")
    assert re.search(r"alice\t\+86138\*{4}8001", listed.stdout), listed.stdout + listed.stderr


def test_logins_hold_no_database_connection_while_they_wait_for_wechat(copy: Copy) -> None:
    """More than 20 logins wait, although two workers have five database connections each."""
    person = Person(copy.wechat, "alice", "13800138001")
    codes = [person.wx_login(SHOP) for _ in range(60)]
    copy.wechat.fault("slow", seconds=3)
    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(lambda code: copy.post("login", code=code), codes))
    most_waiting = copy.wechat.ask("calls")["most_waiting"]
    requests.delete(f"{copy.wechat.url}/_simulator/faults", timeout=5)
    assert {answer.status_code for answer in answers} == {200}
    assert most_waiting > 20


def test_health_readiness_and_openapi_are_available(copy: Copy) -> None:
    for address in ("/healthz", "/readyz", "/openapi.json"):
        assert requests.get(f"{copy.service}{address}", timeout=5).status_code == 200


def test_a_second_copy_can_use_the_simulator_of_the_first(copy: Copy, tmp_path: Path) -> None:
    wechat = copy.wechat.url
    changes = {"WECHAT_API_BASE_URL": wechat, "DEMO_PHONE_URL": f"{wechat}/demo/"}
    second = start(tmp_path / "var", GUNICORN_WORKERS="1", **changes)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(second.environ["SIMULATOR_PORT"]))) != 0
    code = Person(copy.wechat, "alice", "13800138001").wx_login(SHOP)
    assert second.post("login", code=code).status_code == 200
    assert "/demo/" not in requests.get(second.service, timeout=5).text
    stop(second, signal.SIGTERM)


def test_sigint_completes_running_requests_and_a_restart_keeps_the_data(copy: Copy) -> None:
    code = Person(copy.wechat, "dave", "13900139000").wx_login(SHOP)
    copy.wechat.fault("slow", seconds=2)
    calls_before = len(copy.wechat.calls())
    with ThreadPoolExecutor(1) as pool:
        login = pool.submit(copy.post, "login", code=code)
        until(lambda: len(copy.wechat.calls()) > calls_before)
        stop(copy, signal.SIGINT)
        assert login.result().status_code == 200
    restarted = start(Path(copy.environ["WXPASS_VAR"]), "Accounts", **NO_WECHAT)
    copy.process, copy.environ = restarted.process, restarted.environ
    bearer = {"Authorization": f"Bearer {login.result().json()['token']}"}
    refused = requests.get(f"{copy.service}/v1/me", headers=bearer, timeout=5)
    assert refused.json()["code"] == "login_unbound", "an unknown token would be token_invalid"
