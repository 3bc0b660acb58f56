"""Security headers of every response."""

import re
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.headers import CONSOLE, DEFAULT, EXPLORER, GUIDE, LANDING, POLICIES
from app.website.links import SHOW_GUIDE
from config import documentation
from tests.fixtures.personas import ACME_SHOP

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def path_of(rule: Rule) -> str:
    """Return a path that matches a URL rule."""
    path = re.sub(r"<[^>]*appid>", ACME_SHOP.appid, rule.rule)
    return re.sub(r"<[^>]+>", "acme", path)


def test_every_route_and_method_sends_the_security_headers(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every method is tested. Most of these requests fail.

    The documentation site is not built here. tests/website tests its pages and files.
    """
    monkeypatch.setattr(documentation, "HOME", tmp_path / "index.html")
    client = app.test_client()
    seen = set()
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = client.open(path_of(rule), method=method)
            kind = CONSOLE if rule.rule.startswith("/console") else DEFAULT
            if rule.endpoint == SHOW_GUIDE:
                kind = LANDING
            elif answer.status_code == 200:
                kind = {"/": LANDING, "/docs": EXPLORER}.get(rule.rule, kind)
            policy = answer.headers["Content-Security-Policy"]
            assert re.sub(r"nonce-[\w-]{22}'", "nonce-{nonce}'", policy) == POLICIES[kind], (
                rule.rule
            )
            assert {name: answer.headers[name] for name in FIXED} == FIXED, rule.rule
            expected = "same-origin" if kind == CONSOLE else "no-referrer"
            assert answer.headers["Referrer-Policy"] == expected, rule.rule
            assert "Strict-Transport-Security" not in answer.headers, rule.rule
            seen.add(kind)
    assert seen == set(POLICIES) - {GUIDE}


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/console/sign-in", "/console/nothing"])
def test_responses_over_https_have_strict_transport_security(app: Flask, path: str) -> None:
    answer = app.test_client().get(path, base_url="https://wx.example/")
    header = answer.headers["Strict-Transport-Security"]
    assert header == "max-age=31536000; includeSubDomains"


def test_no_content_security_policy_allows_inline_code_or_framing() -> None:
    for policy in POLICIES.values():
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert policy.startswith("default-src 'none'")
