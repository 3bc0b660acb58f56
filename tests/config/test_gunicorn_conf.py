"""config/gunicorn.conf.py: bind address, number settings, and forwarded headers."""

import os
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config import development

CONF = Path(__file__).resolve().parents[2] / "config" / "gunicorn.conf.py"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of the service from the environment."""
    for name in [*os.environ]:
        if name.startswith(("GUNICORN_", "WXPASS_")) or name in ("PORT", "TRUSTED_PROXIES"):
            monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> dict[str, Any]:
    """Run gunicorn.conf.py with settings. Return its global variables."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(CONF))


def test_gunicorn_binds_to_loopback_in_development(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch)["bind"] == "127.0.0.1:8000"


def test_gunicorn_binds_to_loopback_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    development.fill(development_settings := {"DATABASE_URL": "postgresql://x/x"})
    settings = {"WXPASS_ENV": "production", "PORT": "80"} | development_settings
    settings["WECHAT_API_BASE_URL"] = "https://api.weixin.qq.com"
    assert load(monkeypatch, **settings)["bind"] == "127.0.0.1:80"


def test_gunicorn_bind_sets_the_bind_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, GUNICORN_BIND="unix:/run/wxpass")["bind"] == "unix:/run/wxpass"


def test_gunicorn_ignores_forwarded_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, FORWARDED_ALLOW_IPS="*", TRUSTED_PROXIES="1")

    assert settings["forwarded_allow_ips"] == ""
    assert settings["secure_scheme_headers"] == {}
    assert settings["forwarder_headers"] == ""


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "GUNICORN_WORKERS",
        "GUNICORN_WORKER_CONNECTIONS",
        "GUNICORN_TIMEOUT",
        "GUNICORN_GRACEFUL_TIMEOUT",
        "GUNICORN_KEEPALIVE",
    ],
)
@pytest.mark.parametrize("value", ["many", "0", "-1"])
def test_startup_fails_and_names_the_setting_if_a_number_is_invalid(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SystemExit, match=name):
        load(monkeypatch, **{name: value})


@pytest.mark.parametrize(("age", "replaces"), [(1, False), (2, False), (3, True)])
def test_wxpass_worker_marks_workers_that_replace_another_worker(
    monkeypatch: pytest.MonkeyPatch, age: int, replaces: bool
) -> None:
    """A startup error stops the service only in a worker that replaces no other worker."""
    monkeypatch.setenv("WXPASS_WORKER", "" if replaces else "replacement")
    server = SimpleNamespace(cfg=SimpleNamespace(workers=2))
    load(monkeypatch)["post_fork"](server, SimpleNamespace(age=age))
    assert os.environ.get("WXPASS_WORKER") == ("replacement" if replaces else None)
