"""Claims to an appid: states, limits, and isolation between tenants."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.errors import AppClaimClosed, AppHeldElsewhere
from app.services.apps import claims, verification_budget
from app.services.apps.apps import NewApp, add_app
from app.wechat import transport
from tests.fixtures.operators import Script, signed_in
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, App, Client, Reader, WeChat, failure
from tests.fixtures.portal import Portal

APPS = "/tenants/acme/apps"
CAFE = App("wxcafe000000000001", "acme", "ca" * 16)
NEW = {"appid": CAFE.appid, "name": "Café", "secret": CAFE.secret}
FETCH = "/cgi-bin/stable_token"
WRONG = "0f" * 16


@pytest.fixture
def ann(app: Flask) -> Script:
    """Return the admin API client of Ann, a tenant admin of acme."""
    return signed_in(app, "ann@acme.example", "tenant_admin", "acme")


@pytest.fixture
def bob(app: Flask) -> Script:
    """Return the admin API client of Bob, a tenant admin of globex."""
    return signed_in(app, "bob@globex.example", "tenant_admin", "globex")


@pytest.fixture(autouse=True)
def _app_at_wechat(wechat: WeChat) -> None:
    """Register the café app at WeChat without an IP whitelist."""
    wechat.control("apps", appid=CAFE.appid, secret=CAFE.secret, open_platform="acme")


def add(script: Script, tenant: str = "acme", **changes: Any) -> TestResponse:
    """Add the café app to a tenant."""
    return script("POST", f"/tenants/{tenant}/apps", json=NEW | changes)


def cafe_path(tenant: str) -> str:
    """Return the path of the café app in a tenant."""
    return f"/tenants/{tenant}/apps/{CAFE.appid}"


def verify(script: Script, tenant: str = "acme") -> Any:
    """Verify the tenant's café app and return its state and the verdict on its AppSecret."""
    answer = script("POST", f"{cafe_path(tenant)}/verification", json={})
    assert answer.status_code == 200, answer.text
    return answer.json["state"], answer.json["verdicts"][0]


def actions(script: Script, tenant: str) -> list[str]:
    """Return the tenant's audit actions about the café app, newest first."""
    log = script("GET", f"/tenants/{tenant}/audit?subject={CAFE.appid}").json
    return [one["action"] for one in log["items"]]


# Pending apps


def test_pending_app_is_treated_as_unknown_at_every_public_url(
    app: Flask, ann: Script, client: Client, wechat: WeChat, alice: Any
) -> None:
    """Each URL gives a pending appid the same status code as an appid that was never added."""
    push = {"push_token": "PushToken12345", "encoding_aes_key": "a" * 43}
    assert add(ann, secret=WRONG, **push).json["state"] == "pending"
    code = alice.wx_login(CAFE)
    walked = 0
    for rule in app.url_map.iter_rules():
        if "appid" not in rule.arguments and "base_appid" not in rule.arguments:
            continue
        path = rule.rule
        for name in ("<string:appid>", "<appid>", "<base_appid>"):
            path = path.replace(name, CAFE.appid)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            body = {} if method == "GET" else {"json": {"code": code}}
            pending = client.send(method, path, **body)
            unknown = client.send(method, path.replace(CAFE.appid, "wxcafe00000000ffff"), **body)
            assert pending.status_code == unknown.status_code, path
            assert "app_unknown" in pending.text or pending.status_code in (200, 401), path
            walked += 1
    assert walked > 20
    portal = Portal(client, CAFE, push["push_token"], push["encoding_aes_key"])
    assert failure(portal.push({"MsgType": "text", "Content": "x"})) == (404, "app_unknown")


def test_pending_app_is_listed_and_shown_with_advice(ann: Script, rows: Reader) -> None:
    """The list and the app page show WeChat's last verdict in the operator's language."""
    added = add(ann, secret=WRONG)
    assert (added.status_code, added.json["state"], added.json["enabled"]) == (
        201,
        "pending",
        False,
    )
    shown = ann("GET", cafe_path("acme"), headers={"Accept-Language": "zh"}).json
    assert (shown["verdict"]["outcome"], shown["verdict"]["errcode"]) == ("wrong", 40125)
    assert "重置" in shown["verdict"]["advice"]
    assert shown["checked_at"]
    listed = {one["appid"]: one for one in ann("GET", f"{APPS}?count=true").json["items"]}
    assert listed[CAFE.appid]["state"] == "pending"
    assert listed[ACME_SHOP.appid] | {"state": "active", "verdict": None} == listed[ACME_SHOP.appid]
    first = ann("GET", f"{APPS}?limit=2").json
    rest = ann("GET", f"{APPS}?limit=2&cursor={first['next_cursor']}").json
    assert [one["appid"] for one in (*first["items"], *rest["items"])] == sorted(listed)
    assert WRONG not in added.text


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 40243, 50007, 89503, 89506, 89507, 61003])
def test_app_with_a_rejected_secret_is_pending_with_advice_and_can_be_verified_again(
    errcode: int, ann: Script, wechat: WeChat
) -> None:
    wechat.fault("errcode", FETCH, errcode=errcode)
    added = add(ann).json
    assert (added["state"], added["verdict"]["errcode"]) == ("pending", errcode)
    assert added["verdict"]["advice"]
    assert "can log in" not in added["verdict"]["advice"]
    wechat.control("reset")
    assert verify(ann)[0] == "active"


@pytest.mark.parametrize("kind", ["busy", "rate_limited", "html", "drop"])
def test_app_stays_pending_while_wechat_is_unavailable(
    kind: str, ann: Script, wechat: WeChat
) -> None:
    wechat.fault(kind, FETCH)
    added = add(ann).json
    assert (added["state"], added["verdict"]["outcome"]) == ("pending", "unknown")
    assert "could not be verified" in added["verdict"]["advice"]


def test_advice_on_a_pending_app_names_our_ip_address_missing_from_the_whitelist(
    ann: Script, wechat: WeChat
) -> None:
    """The IP address is stored with the verdict, so a later request for the app returns it too."""
    wechat.control("apps", appid=CAFE.appid, secret=CAFE.secret, ip_whitelist=["203.0.113.9"])
    assert "Add 127.0.0.1 to the IP whitelist" in add(ann).json["verdict"]["advice"]
    assert "Add 127.0.0.1" in ann("GET", cafe_path("acme")).json["verdict"]["advice"]


# Changing, activating and withdrawing a claim


def test_corrected_secret_activates_the_app_with_the_settings_of_the_claim(
    ann: Script, client: Client, alice: Any, rows: Reader
) -> None:
    """The app gets the settings and secrets that were changed while the claim was pending."""
    add(ann, secret=WRONG, push_token="PushToken12345", registration="closed")
    changes = {"name": "Café 2", "registration": "on_login", "session_limit": 3}
    changed = ann("PATCH", cafe_path("acme"), json=changes | {"data_format": "xml"})
    assert (changed.status_code, changed.json["state"]) == (200, "pending")
    put = ann("PUT", f"{cafe_path('acme')}/secrets", json={"secret": CAFE.secret}).json
    assert put["verdict"] == {
        "which": "current",
        "outcome": "unknown",
        "errcode": None,
        "advice": "This AppSecret has not been verified with WeChat yet. Verify it.",
    }
    state, verdict = verify(ann)
    assert (state, verdict["outcome"]) == ("active", "right")
    shown = ann("GET", cafe_path("acme")).json
    assert {name: shown[name] for name in changes} == changes
    assert (shown["state"], shown["enabled"], shown["data_format"]) == ("active", True, "xml")
    assert (shown["secret"], shown["push_token"]) == (put["secret"], put["push_token"])
    assert rows.count("app_claims") == 0
    login = client.post("login", app=CAFE, code=alice.wx_login(CAFE))
    assert (login.status_code, login.json["bound"]) == (200, True)
    assert actions(ann, "acme") == [
        "app.activated",
        "app_claim.secrets_replaced",
        "app_claim.changed",
        "app_claim.added",
    ]


@pytest.mark.parametrize(
    ("limit", "columns"), [(None, (None, False)), ("off", (None, True)), (7, (7, False))]
)
def test_activated_app_has_the_session_limit_of_its_claim(
    limit: Any, columns: Any, ann: Script, rows: Reader
) -> None:
    """Two columns store the limit. They are changed and copied together."""
    add(ann, secret=WRONG)
    stored = "SELECT session_limit, unlimited_sessions FROM {} WHERE appid = :appid"
    for change in ("off", 3, limit):
        changed = ann("PATCH", cafe_path("acme"), json={"session_limit": change})
        assert (changed.status_code, changed.json["session_limit"]) == (200, change)
    assert rows(stored.format("app_claims"), appid=CAFE.appid) == [columns]
    ann("PUT", f"{cafe_path('acme')}/secrets", json={"secret": CAFE.secret})
    assert verify(ann)[0] == "active"
    assert rows(stored.format("wechat_apps"), appid=CAFE.appid) == [columns]
    assert ann("GET", cafe_path("acme")).json["session_limit"] == limit


def test_pending_app_cannot_be_enabled_or_given_a_next_secret(ann: Script) -> None:
    """Only a successful verification activates an app."""
    add(ann, secret=WRONG)
    path = cafe_path("acme")
    for enabled in (True, False):
        refused = ann("PATCH", path, json={"enabled": enabled, "name": "x"})
        assert failure(refused) == (409, "app_pending")
    refused = ann("PUT", f"{path}/secrets", json={"next_secret": CAFE.secret, "push_token": "abc"})
    assert failure(refused) == (409, "app_pending")
    shown = ann("GET", path).json
    assert (shown["name"], shown["push_token"]) == ("Café", None)


def test_withdrawn_claim_is_deleted_with_its_secrets(ann: Script, rows: Reader) -> None:
    """Withdrawing needs no reason, and the appid can be added again."""
    add(ann, secret=WRONG)
    assert ann("DELETE", cafe_path("acme")).status_code == 204
    assert rows.count("app_claims") == 0
    assert failure(ann("GET", cafe_path("acme"))) == (404, "app_unknown")
    assert failure(ann("DELETE", cafe_path("acme"))) == (404, "app_unknown")
    assert actions(ann, "acme") == ["app_claim.withdrawn", "app_claim.added"]
    assert add(ann).json["state"] == "active"


def test_appid_cannot_be_added_twice_to_one_tenant(ann: Script) -> None:
    add(ann, secret=WRONG)
    assert failure(add(ann)) == (409, "app_exists")
    assert verify(ann)[1]["errcode"] == 40125
    assert failure(add(ann, appid=ACME_SHOP.appid)) == (409, "app_exists")


def test_verdict_on_a_claim_changed_during_the_call_to_wechat_is_discarded(
    app: Flask, ann: Script, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that is changed or withdrawn during the call to WeChat is not activated."""
    fetch = transport.Transport.exchange
    path = cafe_path("acme")
    add(ann, secret=WRONG)
    ann("PUT", f"{path}/secrets", json={"secret": CAFE.secret})
    changes: list[Callable[[], Any]] = [
        lambda: ann("PUT", f"{path}/secrets", json={"secret": WRONG}),
        lambda: ann("DELETE", path),
    ]

    def exchange(*given: Any) -> Any:
        answer = fetch(*given)
        changes.pop(0)()
        return answer

    monkeypatch.setattr(transport.Transport, "exchange", exchange)
    replaced = ann("POST", f"{path}/verification", json={})
    assert failure(replaced) == (409, "app_claim_changed")
    withdrawn = ann("POST", f"{path}/verification", json={})
    assert failure(withdrawn) == (404, "app_unknown")
    assert rows.count("wechat_apps", f"appid = '{CAFE.appid}'") == 0


# Isolation between tenants


def comparable(answer: TestResponse) -> Any:
    """Return the status and body of a response, without dates and fingerprints."""
    body = answer.json | {"secret": None, "created_at": None, "checked_at": None}
    return answer.status_code, body


@pytest.mark.parametrize("elsewhere", ["nobody", "pending", "closed", "active", "disabled"])
def test_response_to_a_wrong_app_secret_is_the_same_if_another_tenant_has_the_appid(
    elsewhere: str, app: Flask, ann: Script, bob: Script, rows: Reader, statements: list[str]
) -> None:
    """Neither response nor SQL statements depend on whether another tenant has the appid."""
    if elsewhere in ("pending", "closed"):
        add(bob, "globex", secret=WRONG)
    if elsewhere == "closed":
        rows("UPDATE app_claims SET closed_at = now(), secret_sealed = NULL")
    if elsewhere in ("active", "disabled"):
        assert add(bob, "globex").json["state"] == "active"
    if elsewhere == "disabled":
        bob("PATCH", cafe_path("globex"), json={"enabled": False})
    statements.clear()
    added = add(ann, secret=WRONG)
    sent = list(statements)
    again = ann("POST", f"{cafe_path('acme')}/verification", json={})
    shown = ann("GET", cafe_path("acme"))
    assert ann("DELETE", cafe_path("acme")).status_code == 204
    # An appid that no tenant has, for comparison.
    other = "wxcafe000000000002"
    statements.clear()
    compared = add(ann, appid=other, secret=WRONG)
    assert sent == list(statements)
    assert added.json["verdict"]["errcode"] == 40125
    alike = {"appid": CAFE.appid, "verdict": added.json["verdict"]}
    assert comparable(added) == (comparable(compared)[0], comparable(compared)[1] | alike)
    assert comparable(shown)[1] == comparable(added)[1]
    assert again.json == {"state": "pending", "verdicts": [added.json["verdict"]]}
    assert "globex" not in added.text + again.text + shown.text


def test_claim_verification_is_not_counted_in_metrics(app: Flask, ann: Script, bob: Script) -> None:
    add(bob, "globex")
    counted = app.extensions["counts"].answered
    before = dict(counted.gather())
    add(ann, secret=WRONG)
    verify(ann)
    assert dict(counted.gather()) == before


def test_activation_closes_other_tenants_claims_without_naming_the_activating_tenant(
    ann: Script, bob: Script, rows: Reader, wechat: WeChat
) -> None:
    """The secrets and the verdict of a closed claim are deleted."""
    push = {"push_token": "PushToken12345", "encoding_aes_key": "a" * 43}
    add(bob, "globex", secret=WRONG, **push)
    assert add(ann).json["state"] == "active"
    closed = bob("GET", cafe_path("globex")).json
    assert (closed["state"], closed["verdict"]["advice"]) == ("closed", AppClaimClosed.en)
    assert [closed[name] for name in ("secret", "push_token", "encoding_aes_key")] == [None] * 3
    kept = rows(
        "SELECT num_nonnulls(secret_sealed, push_token_sealed, encoding_aes_key_sealed, outcome,"
        " errcode, seen_ip, checked_at) FROM app_claims"
    )
    assert kept == [(0,)]
    assert actions(bob, "globex") == ["app_claim.closed", "app_claim.added"]
    log = bob("GET", f"/tenants/globex/audit?subject={CAFE.appid}").text
    assert "acme" not in log + bob("GET", cafe_path("globex")).text
    refused = bob("POST", f"{cafe_path('globex')}/verification", json={})
    assert failure(refused) == (409, "app_claim_closed")
    refused = bob("PUT", f"{cafe_path('globex')}/secrets", json={"push_token": "PushToken12345"})
    assert failure(refused) == (409, "app_claim_closed")
    assert rows.count("wechat_apps", f"appid = '{CAFE.appid}'") == 1


@pytest.mark.parametrize("again", ["secrets", "add"])
def test_closed_claim_is_reopened_by_a_new_app_secret(again: str, ann: Script, bob: Script) -> None:
    """A new AppSecret that is wrong is reported as for any other claim."""
    add(bob, "globex", secret=WRONG)
    add(ann)
    if again == "add":
        added = add(bob, "globex", secret=WRONG)
        assert (added.status_code, added.json["state"]) == (201, "pending")
    else:
        body = {"secret": WRONG}
        put = bob("PUT", f"{cafe_path('globex')}/secrets", json=body)
        assert (put.status_code, put.json["state"]) == (200, "pending")
    assert verify(bob, "globex")[1]["errcode"] == 40125


def test_correct_app_secret_for_an_app_of_another_tenant_does_not_change_that_app(
    ann: Script, bob: Script, client: Client, alice: Any, rows: Reader, app: Flask
) -> None:
    """The claim's outcome is `held_elsewhere`. Sessions of the other tenant stay valid."""
    add(bob, "globex", registration="on_login")
    token = client.post("login", app=CAFE, code=alice.wx_login(CAFE)).json["token"]
    before = rows("SELECT * FROM wechat_apps ORDER BY appid")
    added = add(ann).json
    assert (added["state"], added["verdict"]["outcome"]) == ("pending", "held_elsewhere")
    assert added["verdict"]["advice"] == AppHeldElsewhere.en
    assert verify(ann)[1]["outcome"] == "held_elsewhere"
    assert ann("GET", cafe_path("acme")).json["verdict"] == added["verdict"]
    assert rows("SELECT * FROM wechat_apps ORDER BY appid") == before
    assert client.me(token).status_code == 200
    assert actions(ann, "acme") == ["app_claim.held_elsewhere", "app_claim.added"]
    assert actions(bob, "globex") == ["app.activated", "app_claim.added"]
    ops = signed_in(app, "ops@wxpass.example", "platform")
    (event,) = ops("GET", "/audit?action=app_claim.held_elsewhere").json["items"]
    assert event["details"] == {"tenant": "acme"}


def test_claim_with_a_correct_secret_stays_open_when_another_tenant_activates_the_app(
    app: Flask, ann: Script, bob: Script, rows: Reader
) -> None:
    """The claim's outcome stays `held_elsewhere`, so the app can still be moved to its tenant."""
    add(bob, "globex")
    add(ann)
    rows(f"DELETE FROM wechat_apps WHERE appid = '{CAFE.appid}'")
    add(bob, "globex")
    assert ann("GET", cafe_path("acme")).json["verdict"]["outcome"] == "held_elsewhere"
    rows(f"DELETE FROM wechat_apps WHERE appid = '{CAFE.appid}'")
    assert verify(ann)[0] == "active"


# Limits


def test_number_of_claims_per_tenant_is_limited(
    ann: Script, bob: Script, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tenant's claims do not count against another tenant's limit."""
    monkeypatch.setattr(claims, "MOST_CLAIMS", 3)
    for number in range(3):
        assert add(ann, appid=f"wxcafe000000001{number:03}").status_code == 201
    refused = add(ann, appid="wxcafe000000001999")
    assert failure(refused) == (409, "app_claims_too_many")
    assert rows.count("app_claims") == 3
    assert add(bob, "globex", secret=WRONG).status_code == 201
    ann("DELETE", f"{APPS}/wxcafe000000001000")
    assert add(ann, appid="wxcafe000000001999").status_code == 201


def test_app_verifications_are_limited_to_ten_per_minute_and_tenant(
    ann: Script, bob: Script, rows: Reader, wechat: WeChat
) -> None:
    """Adding and verifying apps count together. A refused request writes nothing."""
    for _ in range(4):
        add(ann, secret=WRONG)
        verify(ann)
        ann("DELETE", cafe_path("acme"))
    shop = f"{APPS}/{ACME_SHOP.appid}/verification"
    assert ann("POST", shop, json={}).status_code == 200
    assert add(ann, secret=WRONG).status_code == 201
    asked = len(wechat.calls())
    for refused in (
        ann("POST", shop, json={}),
        ann("POST", f"{cafe_path('acme')}/verification", json={}),
        add(ann, appid="wxcafe000000000002"),
    ):
        assert failure(refused) == (429, "app_verifications_too_many")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert len(wechat.calls()) == asked
    assert rows.count("app_claims") == 1
    assert add(bob, "globex", secret=WRONG).status_code == 201, "each tenant has its own limit"
    rows("UPDATE verification_budgets SET window_began = now() - interval '61 seconds'")
    assert verify(ann)[1]["errcode"] == 40125


def test_requests_without_a_call_to_wechat_do_not_count_as_app_verifications(ann: Script) -> None:
    add(ann, secret=WRONG)
    for _ in range(verification_budget.MOST_CALLS):
        assert ann("GET", cafe_path("acme")).status_code == 200
        assert ann("PATCH", cafe_path("acme"), json={"name": "x"}).status_code == 200
        assert failure(add(ann)) == (409, "app_exists")
    assert verify(ann)[0] == "pending"


# Invalid appids


@pytest.mark.parametrize(
    "appid",
    [
        *("wx0123456789abcde", "wx0123456789abcdef0", "wy0123456789abcdef", "0123456789abcdef"),
        *("WX0123456789abcdef", "wx0123456789abcde_", " wx0123456789abcdef", "wx０123456789abcdef"),
        *("wxaaaa000000000001~20260101000000000000", "wx0123456789abc'--", "gh_0123456789abc"),
    ],
)
def test_appid_in_a_format_that_wechat_does_not_issue_is_refused(
    appid: str, ann: Script, rows: Reader, wechat: WeChat
) -> None:
    """The Chinese message explains the format. WeChat is not called."""
    assert failure(add(ann, appid=appid)) == (422, "appid_invalid")
    chinese = ann("POST", APPS, json=NEW | {"appid": appid}, headers={"Accept-Language": "zh"})
    assert "wx 和 16 位字母或数字" in chinese.json["detail"]
    assert rows.count("app_claims") == 0
    assert wechat.calls() == []


@pytest.mark.parametrize("appid", ["", "wx\x00123456789abcdef", None, 7, "x" * 65, "wx\ud800"])
def test_appid_that_is_not_valid_text_is_refused(appid: Any, ann: Script, rows: Reader) -> None:
    assert failure(add(ann, appid=appid)) == (422, "request_invalid")
    assert rows.count("app_claims") == 0


def test_apps_with_appids_in_older_formats_still_work(
    app: Flask, ann: Script, client: Client, rows: Reader
) -> None:
    """The format is required of new appids only."""
    rows("UPDATE wechat_apps SET appid = 'old-app_1' WHERE appid = 'wxaaaa000000000003'")
    path = f"{APPS}/old-app_1"
    assert ann("PATCH", path, json={"registration": "on_phone"}).status_code == 200
    answer = client.send("POST", "/v1/apps/old-app_1/login", json={"code": "x"})
    assert failure(answer)[1] != "app_unknown"
    assert ann("GET", "/tenants/acme/sessions?appid=old-app_1").status_code == 200


def test_app_added_without_verification_closes_all_claims_to_its_appid(
    app: Flask, ann: Script, bob: Script, rows: Reader
) -> None:
    """The tenant's own claim is deleted, and the claim of the other tenant is closed."""
    add(ann, secret=WRONG)
    add(bob, "globex", secret=WRONG)
    with app.app_context():
        add_app("acme", NewApp(CAFE.appid, "Café", "closed", "json", CAFE.secret))
    assert ann("GET", cafe_path("acme")).json["state"] == "active"
    assert bob("GET", cafe_path("globex")).json["state"] == "closed"
    assert GLOBEX_LIFE.appid in bob("GET", "/tenants/globex/apps").text
