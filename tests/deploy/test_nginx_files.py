"""deploy/nginx: limits for every way to log in, and idle connections."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
from flask import Flask

DEPLOY = Path(__file__).parents[2] / "deploy"
HTTP = (DEPLOY / "nginx" / "wxpass" / "http.conf").read_text()
GUNICORN = runpy.run_path(str(DEPLOY.parent / "config" / "gunicorn.conf.py"))
PATTERN = re.compile(r'^    "~(\^[A-Z]+ .*\$)" \$binary_remote_addr;$', re.MULTILINE)
LIMITED = [re.compile(one) for one in PATTERN.findall(HTTP)]
NAMES = re.compile(r"\.(log_in\w*|identify|bind_\w+|sign_\w+_in)$")
# Without these, tokens and codes can be tried without a limit per address.
LOGINS = {
    "admin_sign_in.accept_invitation",
    "admin_sign_in.sign_operator_in",
    "apps.bind_account",
    "apps.bind_phone",
    "apps.log_in",
    "apps.log_in_with_password",
    "apps.refresh_login",
    "auth.code",
    "auth.invitation",
    "auth.sign_in",
    "checkbind.bind_account",
    "checkbind.log_in",
    "gitegg.bind_identity",
    "gitegg.bind_phone",
    "gitegg.give_token",
    "gitegg.identify",
    "litemall.bind_phone",
    "litemall.log_in_by_weixin",
    "litemall.log_in_with_password",
    "uniapp.identify",
    "uniapp.log_in",
}


def requests_of(app: Flask, endpoint: str) -> set[str]:
    """Return the methods and paths of an endpoint. Pages with a form are also read with GET."""
    return {
        f"{method} {re.sub(r'<[^>]+>', 'wx0123456789abcdef', rule.rule)}"
        for rule in app.url_map.iter_rules(endpoint)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not (endpoint.startswith("auth.") and method == "GET")
    }


@pytest.mark.parametrize("endpoint", sorted(LOGINS))
def test_each_way_to_log_in_has_a_limit_per_address(app: Flask, endpoint: str) -> None:
    found = requests_of(app, endpoint)
    assert found
    assert {one for one in found if not any(limit.search(one) for limit in LIMITED)} == set()


def test_nothing_else_is_limited_and_no_login_is_missing(app: Flask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    limited = {
        endpoint
        for endpoint in endpoints
        if any(limit.search(one) for one in requests_of(app, endpoint) for limit in LIMITED)
    }
    assert limited == LOGINS
    assert {one for one in endpoints if NAMES.search(one)} <= LOGINS


@pytest.mark.parametrize("path", ["nginx/wxpass/upstreams.conf", "compose/upstreams.conf"])
def test_nginx_closes_idle_connections_before_gunicorn(path: str) -> None:
    """Otherwise a request can meet a connection that gunicorn is closing, and gets 502."""
    (block,) = re.findall(r"^upstream wxpass \{\n.*?^\}", (DEPLOY / path).read_text(), re.M | re.S)
    (seconds,) = re.findall(r"^    keepalive_timeout (\d+)s;$", block, re.M)
    assert int(seconds) < GUNICORN["keepalive"]


def test_gunicorn_outlasts_the_idle_connections_of_ingress_nginx() -> None:
    """Its setting upstream-keepalive-timeout is 60 seconds by default."""
    base = yaml.safe_load((DEPLOY / "k8s" / "base" / "kustomization.yaml").read_text())
    settings = dict(one.split("=", 1) for one in base["configMapGenerator"][0]["literals"])
    assert int(settings["GUNICORN_KEEPALIVE"]) > 60
