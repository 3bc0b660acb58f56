"""Failing mini-programs in the admin API. test_tenant_isolation.py has the access rules."""

from typing import Any

import pytest
from flask import Flask

from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, failure
from tests.fixtures.tenant_sql import recorded_statements
from tests.services.failures.minutes import Minutes

ACME = "/tenants/acme/failures"


@pytest.fixture
def failing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Minutes:
    minutes = Minutes(app, monkeypatch)
    minutes.log_in(4)
    minutes.fail("wechat_app_misconfigured", 5, 2, errcode=40164, our_ip="203.0.113.7")
    minutes.fail("wechat_app_misconfigured", 2, app=GLOBEX_LIFE, errcode=40125)
    return minutes


def read(script: Script, path: str, **headers: str) -> Any:
    """Return the JSON body of a GET request."""
    answer = script("GET", path, headers=headers) if headers else script("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_report_of_a_tenant_has_its_own_apps_only(app: Flask, failing: Minutes) -> None:
    told = read(signed_in(app, "ann@acme.example", "tenant_admin", "acme"), ACME)
    (one,) = told["failing"]
    assert (one["tenant"], one["appid"], one["errcode"]) == ("acme", ACME_SHOP.appid, 40164)
    assert (one["failures"], one["logins"], one["kind"]) == (2, 1, "app")
    assert one["first_at"] == failing.ago(5).isoformat()
    assert "203.0.113.7" in one["remedy"]
    assert told["failures"] == {"wechat_app_misconfigured": 2}
    assert told["logins"] == 1


def test_platform_admin_sees_all_tenants(app: Flask, failing: Minutes) -> None:
    root = signed_in(app, "root@example.com", "platform")
    told = read(root, "/failures?minutes=60")
    assert sorted(one["tenant"] for one in told["failing"]) == ["acme", "globex"]


def test_texts_are_in_the_language_of_accept_language(app: Flask, failing: Minutes) -> None:
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    (one,) = read(ann, ACME, **{"Accept-Language": "zh-CN"})["failing"]
    assert one["why"] == "本服务器的 IP 地址不在白名单内。"
    assert "把 203.0.113.7 加入 IP 白名单" in one["remedy"]


@pytest.mark.parametrize("minutes", ["0", "1441", "x"])
def test_period_is_up_to_a_day(app: Flask, minutes: str) -> None:
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    answer = ann("GET", f"{ACME}?minutes={minutes}")
    assert failure(answer) == (422, "request_invalid")


@pytest.mark.parametrize("apps", [1, 2])
def test_number_of_statements_does_not_grow_with_the_failing_apps(
    app: Flask, failing: Minutes, apps: int
) -> None:
    """Four statements read the minutes of each tenant, and one the names of all apps."""
    root = signed_in(app, "root@example.com", "platform")
    read(root, "/failures")
    with recorded_statements() as sent:
        read(root, "/failures" if apps == 2 else ACME)
    counted = [one for one in sent if "minute_" in one.text or "wechat_apps" in one.text]
    assert len(counted) == 4 * apps + 1
