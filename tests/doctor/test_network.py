"""Findings of `doctor` about WeChat, ports, disks and the public address."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.serving import make_server

from app import create_app
from app.doctor import capacity, public_address
from app.doctor import wechat as wechat_checks
from app.doctor.addresses import parse_binding
from app.doctor.findings import Deployment
from app.doctor.running import run_check
from app.services import proxy_probe
from app.wechat.reachability import Reachability
from config import Config
from tests.doctor.conftest import Examine
from tests.fixtures.personas import ACME_SHOP, APPS, Client, WeChat
from tests.fixtures.servers.ports import free_port

# WeChat


def test_app_secrets_are_verified_with_wechat(examine: Examine, wechat: WeChat) -> None:
    wechat.fault("errcode", path="/cgi-bin/stable_token", errcode=40125)
    found = examine("--app", ACME_SHOP.appid)["app_secret_rejected"]
    assert (found["level"], "40125" in found["what"]["en"]) == ("error", True)
    assert "AppSecret is wrong or has been reset" in found["remedy"]["en"]


def test_address_missing_from_the_whitelist_is_named(examine: Examine, wechat: WeChat) -> None:
    wechat.fault("errcode", path="/cgi-bin/stable_token", errcode=40164)
    found = examine("--app", ACME_SHOP.appid)["app_secret_rejected"]
    assert "40164" in found["what"]["en"]
    assert "IP whitelist" in found["remedy"]["en"]
    assert "?" not in found["remedy"]["en"]


def test_unknown_app_is_reported(examine: Examine) -> None:
    found = examine("--app", "wx00000000000000ff", "--app", ACME_SHOP.appid)
    assert found["app_unknown"]["what"]["en"].startswith("wx00000000000000ff: ")
    assert "app_secret_right" in found


def test_number_of_verified_apps_is_limited(
    app: Flask, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_checks, "MOST_APPS", 1)
    found = run_check(app, wechat_checks.check_app_secrets, deployment, 30)
    assert [finding.code for finding in found] == ["app_secret_right", "app_secrets_unchecked"]
    assert f"{len(APPS) - 1} more" in found[1].what.en


@pytest.mark.parametrize(
    ("url", "proxy", "step"),
    [
        ("https://wechat.invalid", None, "name"),
        ("https://127.0.0.1:1", None, "connection"),
        ("https://api.weixin.qq.com", "http://127.0.0.1:1", "connection"),
    ],
)
def test_step_at_which_wechat_is_unreachable_has_its_remedy(
    url: str, proxy: str | None, step: str, examine: Examine
) -> None:
    found = examine(wechat_api_base_url=url, wechat_proxy=proxy)
    assert found["wechat_unreachable"]["remedy"]["en"] == wechat_checks.REMEDIES[step][0]
    assert "app_secret_right" not in found


def test_clock_is_compared_with_wechat(
    app: Flask, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = datetime.now(UTC) - timedelta(minutes=5)
    reached = Reachability("reached", server_time=theirs)
    monkeypatch.setattr(wechat_checks, "try_to_reach", lambda *_: reached)
    found = run_check(app, wechat_checks.check_reachability, deployment, 10)
    assert [(one.code, one.level) for one in found][1:] == [("clock_wechat_differs", "error")]


# Ports and disks


def test_port_of_another_program_is_reported(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        found = examine(environ={"GUNICORN_BIND": f"127.0.0.1:{port}"})
        assert found["service_port_taken"]["level"] == "error"
    found = examine(environ={"GUNICORN_BIND": f"127.0.0.1:{free_port()}"})
    assert "service_port_free" in found
    found = examine(environ={"GUNICORN_BIND": "192.0.2.1:8000"})
    assert "EADDRNOTAVAIL" in found["service_port_unusable"]["what"]["en"]


def test_bind_address_without_trusted_proxies_and_public_metrics_are_reported(
    examine: Examine,
) -> None:
    environ = {"GUNICORN_BIND": f"0.0.0.0:{free_port()}", "METRICS_BIND": f"0.0.0.0:{free_port()}"}
    found = examine(environ=environ)
    assert {"bind_without_proxy", "metrics_public", "metrics_port_free"} <= set(found)
    found = examine(environ=environ, trusted_proxies=1)
    assert "proxies_plausible" in found
    environ["METRICS_BIND"] = f"127.0.0.1:{free_port()}"
    assert "metrics_public" not in examine(environ=environ)


@pytest.mark.parametrize(
    ("text", "is_local"),
    [
        *[(local, True) for local in ("127.0.0.1:80", "localhost:80", "[::1]:80", "unix:/x")],
        *[(public, False) for public in ("0.0.0.0:80", ":80", "[::]:80", "10.0.0.1:80", "web:80")],
    ],
)
def test_local_bind_addresses_are_recognised(text: str, is_local: bool) -> None:
    binding = parse_binding(text)
    assert binding is not None
    assert binding.is_local is is_local


@pytest.mark.parametrize(
    ("free", "level"), [(50, "ok"), (9, "warning"), (5, "warning"), (1, "error")]
)
def test_little_disk_space_is_reported(
    free: float,
    level: str,
    app: Flask,
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = (int(200e9), 0, int(free * capacity.GIGABYTE))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert {one.level for one in run_check(app, capacity.check_disks, deployment, 5)} == {level}


def test_unreachable_rate_limit_server_is_reported_without_its_password(examine: Examine) -> None:
    found = examine(rate_limit_storage_url="redis://:hidden-password@127.0.0.1:1/0")
    assert found["rate_limits_unreachable"]["level"] == "error"
    assert "hidden-password" not in str(found)


# The public address


@contextmanager
def serving(config: Config, **settings: Any) -> Iterator[str]:
    """Serve the service over HTTP inside the block. Yield its URL."""
    server = make_server("127.0.0.1", 0, create_app(replace(config, **settings)), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()


def test_service_that_sees_the_client_is_accepted(examine: Examine, config: Config) -> None:
    with serving(config) as url:
        found = examine("--url", url)
        assert {"public_address_answers", "proxies_right", "public_address_insecure"} <= set(found)
        bind = urlsplit(url).netloc
        assert "service_port_serves" in examine(environ={"GUNICORN_BIND": bind})


def test_service_that_trusts_addresses_of_clients_is_reported(
    examine: Examine, config: Config
) -> None:
    with serving(config, trusted_proxies=1) as url:
        assert examine("--url", url)["proxies_too_many"]["level"] == "error"


def test_service_with_another_pepper_does_not_say_what_it_sees(
    examine: Examine, config: Config
) -> None:
    with serving(config, pepper=b"q" * 40) as url:
        found = examine("--url", url)
    assert "proxies_unchecked" in found
    assert "proxies_right" not in found


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        ({}, {"proxies_right"}),
        ({"address": "10.0.0.7"}, {"proxies_too_few"}),
        ({"address": "127.0.0.1"}, {"proxies_too_few"}),
        ({"address": "8.8.8.8"}, {"proxies_right"}),  # behind NAT
        ({"scheme": "http"}, {"proxies_scheme"}),
        ({"host": "127.0.0.1:8000", "scheme": "http"}, {"proxies_scheme", "proxies_host"}),
    ],
)
def test_what_the_service_sees_is_compared_with_the_request(
    seen: dict[str, str], codes: set[str]
) -> None:
    right = {"address": "198.51.100.7", "scheme": "https", "host": "login.example.com"}
    answer = public_address.Answer(200, {}, right | seen, "198.51.100.7", None)
    url = urlsplit("https://login.example.com")
    assert {one.code for one in public_address._of_proxies(url, answer)} == codes


@pytest.mark.parametrize(
    ("days", "code"), [(13, "certificate_expires_soon"), (40, "certificate_valid")]
)
def test_certificate_that_expires_soon_is_reported(days: int, code: str) -> None:
    answer = public_address.Answer(200, {}, None, "", time.time() + days * 86_400 + 60)
    (found,) = public_address._of_certificate(urlsplit("https://x"), answer)
    assert found.code == code
    assert str(days) in found.what.en


def test_other_server_at_the_public_address_is_reported(examine: Examine, wechat: WeChat) -> None:
    assert "public_address_answers_otherwise" in examine("--url", wechat.url)
    assert "public_address_unreachable" in examine("--url", "https://127.0.0.1:1")


def test_health_tells_what_it_sees_only_to_those_who_know_the_pepper(
    app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        question = proxy_probe.new_question()
        later = datetime.now(UTC) + timedelta(minutes=3)
    ask = app.test_client()

    def seen(value: str) -> str | None:
        answer = ask.get("/healthz", headers={public_address.QUESTION: value})
        assert answer.status_code == 200
        return answer.headers.get(public_address.ANSWER)

    assert '"address": "127.0.0.1"' in (seen(question) or "")
    for wrong in ("", "x", f"{question}0", question.replace(".", ".0", 1), "9" * 400 + ".a"):
        assert seen(wrong) is None
    clock = SimpleNamespace(now=lambda: later)
    monkeypatch.setattr(proxy_probe, "now", clock.now)
    assert seen(question) is None
