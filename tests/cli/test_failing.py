"""The command `tenants failing`."""

import json

import pytest
from click.testing import Result
from flask import Flask

from app.cli.tenants import tenants
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE
from tests.services.failures.minutes import Minutes


@pytest.fixture
def minutes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Minutes:
    return Minutes(app, monkeypatch)


def run(app: Flask, *options: str) -> Result:
    """Run the command with these options."""
    return app.test_cli_runner().invoke(tenants, ["failing", *options])


def test_output_names_app_start_share_cause_and_remedy_in_both_languages(
    app: Flask, minutes: Minutes
) -> None:
    minutes.log_in(4)
    minutes.fail("wechat_app_misconfigured", 5, 2, errcode=40164, our_ip="203.0.113.7", times=3)
    result = run(app, "--since", "10m", "--tenant", "acme")
    header, row, summary = result.output.splitlines()
    assert header.split("\t") == [
        *("tenant", "app", "since", "failed", "code", "why", "what_to_do"),
    ]
    tenant, appid, since, failed, code, why, what_to_do = row.split("\t")
    assert (tenant, appid) == ("acme", ACME_SHOP.appid)
    assert since == f"{minutes.ago(5):%Y-%m-%dT%H:%MZ}", "in UTC"
    assert failed == "6 of 7 (86%)"
    assert code == "wechat_app_misconfigured 40164"
    assert why == "This server's IP address is not whitelisted. 本服务器的 IP 地址不在白名单内。"
    assert "Add 203.0.113.7 to the IP whitelist" in what_to_do
    assert "把 203.0.113.7 加入 IP 白名单" in what_to_do
    assert "1 logins, 6 failed (wechat_app_misconfigured 6)" in summary
    assert result.exit_code == 1


def test_nothing_fails_says_so_with_the_usual_mistakes(app: Flask, minutes: Minutes) -> None:
    minutes.log_in(1, times=20)
    minutes.fail("credentials_wrong", 1, times=2)
    result = run(app)
    assert "Nothing fails. 没有故障。" in result.output
    assert "20 logins, 2 failed (credentials_wrong 2)" in result.output
    assert result.exit_code == 0


def test_output_says_that_no_logins_were_seen(app: Flask, minutes: Minutes) -> None:
    minutes.log_in(1, app=GLOBEX_LIFE)
    result = run(app, "--tenant", "acme", "--since", "1d")
    assert "Nothing fails." in result.output
    assert "No logins were seen" in result.output
    assert "没有任何登录" in result.output
    assert result.exit_code == 0


def test_recovered_app_is_named_and_the_exit_code_is_0(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_app_misconfigured", 50, 40, errcode=40125)
    minutes.log_in(30)
    result = run(app, "--since", "2h")
    assert f"Works again: acme {ACME_SHOP.appid}" in result.output
    assert result.exit_code == 0


def test_json_contains_the_same_report(app: Flask, minutes: Minutes) -> None:
    minutes.fail("wechat_rate_limited", 3, errcode=45009)
    result = run(app, "--json")
    (one,) = json.loads(result.output)["failing"]
    assert (one["tenant"], one["errcode"], one["kind"]) == ("acme", 45009, "app")
    assert one["first_at"] == minutes.ago(3).isoformat()
    assert one["first_at"].endswith("+00:00")
    assert result.exit_code == 1


@pytest.mark.parametrize("period", ["10m", "1440m", "2h", "24h", "1d"])
def test_period_may_be_up_to_a_day(app: Flask, period: str) -> None:
    assert run(app, "--since", period).exit_code == 0


@pytest.mark.parametrize("period", ["0m", "10", "10s", "25h", "1441m", "2d", "-1h", "m", "1d2h"])
def test_other_periods_are_refused_with_an_explanation(app: Flask, period: str) -> None:
    result = run(app, "--since", period)
    assert result.exit_code == 2
    assert "up to 24 hours, for example 10m, 2h or 1d" in result.output
    assert "最长 24 小时" in result.output


def test_unknown_tenant_is_refused(app: Flask) -> None:
    result = run(app, "--tenant", "nobody")
    assert result.exit_code == 1
    assert "tenant_unknown" in result.output
