"""Concurrent verification of claims to one appid, with real threads and commits."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.errors import AppInUse
from app.services.apps import claims as app_claims
from app.services.apps import proofs, releases
from app.services.apps.apps import NewApp, add_app
from app.services.apps.changes import AppSettings
from app.services.apps.releases import delete_app, move_app
from app.services.apps.tenants import add_tenant, tenant_id_of
from app.services.audit import OPERATOR
from app.wechat import transport
from tests.fixtures.operators import signed_in
from tests.fixtures.personas import App, Client, Person, Reader, WeChat, failure
from tests.services.login.test_concurrency import run_concurrently

CAFE = App("wxcafe000000000003", "acme", "cb" * 16)
TENANTS = ("acme", "globex", "initech", "umbrella")
WRONG = "0f" * 16

pytestmark = pytest.mark.real_commits


@pytest.fixture(autouse=True)
def _tenants_and_app(app: Flask, wechat: WeChat) -> None:
    """Register the café app at WeChat and add two tenants."""
    wechat.control("apps", appid=CAFE.appid, secret=CAFE.secret, open_platform="acme")
    with app.app_context():
        for slug in TENANTS[2:]:
            add_tenant(slug, slug.title())


def claim(app: Flask, tenant: str, secret: str = CAFE.secret) -> app_claims.ClaimedSecret:
    """Add the café app to a tenant without verifying it."""
    new = NewApp(CAFE.appid, f"Café of {tenant}", "on_login", "json", secret)
    with app.app_context():
        return app_claims.claim_app(OPERATOR, tenant_id_of(tenant), new)


def with_app_context(app: Flask, function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that calls `function` in an application context."""

    def run_in_context() -> Any:
        with app.app_context():
            return function()

    return run_in_context


def proof(app: Flask, claimed: app_claims.ClaimedSecret) -> Callable[[], str]:
    """Return a function that verifies a claim and returns the outcome."""
    return with_app_context(app, lambda: proofs.prove(OPERATOR, claimed).outcome)


@pytest.mark.parametrize("round", range(5))
def test_one_of_four_tenants_that_verify_an_appid_concurrently_gets_the_app(
    round: int, app: Flask, rows: Reader
) -> None:
    """The primary key of `wechat_apps` decides. The other claims get `held_elsewhere`."""
    claims = [claim(app, tenant) for tenant in TENANTS]
    outcomes = run_concurrently([proof(app, one) for one in claims])
    assert sorted(outcomes) == ["held_elsewhere"] * 3 + ["right"]
    winner = claims[outcomes.index("right")]
    assert rows("SELECT tenant_id FROM wechat_apps WHERE appid = :a", a=CAFE.appid) == [
        (winner.tenant_id,)
    ]
    left = rows("SELECT tenant_id, outcome, secret_sealed IS NOT NULL FROM app_claims ORDER BY 1")
    losers = sorted(one.tenant_id for one in claims if one is not winner)
    assert left == [(tenant_id, "held_elsewhere", True) for tenant_id in losers]


def test_concurrent_verifications_of_one_claim_add_the_app_once(app: Flask, rows: Reader) -> None:
    """Every request returns the outcome `right`."""
    claimed = claim(app, "acme")
    assert run_concurrently([proof(app, claimed)] * 4) == ["right"] * 4
    assert rows.count("wechat_apps", f"appid = '{CAFE.appid}'") == 1
    assert rows.count("app_claims") == 0
    assert rows.count("audit_events", "action = 'app.activated'") == 1


def test_concurrent_right_and_wrong_secrets_add_one_app_and_close_the_other_claims(
    app: Flask, rows: Reader
) -> None:
    claims = [claim(app, tenant, CAFE.secret if tenant == "acme" else WRONG) for tenant in TENANTS]
    outcomes = run_concurrently([proof(app, one) for one in claims])
    assert outcomes == ["right", "wrong", "wrong", "wrong"]
    assert (
        rows("SELECT closed_at IS NOT NULL, secret_sealed IS NULL FROM app_claims")
        == [(True, True)] * 3
    )


def test_activation_of_an_app_and_concurrent_changes_of_other_claims_do_not_deadlock(
    app: Flask, rows: Reader
) -> None:
    """Each change locks one claim. The activation waits for these locks to close the claims."""
    claims = [claim(app, tenant, CAFE.secret if tenant == "acme" else WRONG) for tenant in TENANTS]

    def change(one: app_claims.ClaimedSecret) -> Callable[[], str]:
        settings = AppSettings(name="Changed")
        return with_app_context(
            app,
            lambda: (
                [
                    app_claims.change_claim(OPERATOR, one.tenant_id, CAFE.appid, settings)
                    for _ in range(20)
                ]
                and "changed"
            ),
        )

    outcomes = run_concurrently([proof(app, claims[0]), *(change(one) for one in claims[1:])])
    assert outcomes == ["right", "changed", "changed", "changed"]
    assert rows.count("app_claims", "closed_at IS NULL") == 0


def test_concurrent_claims_beyond_the_limit_are_refused(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests of one tenant count its claims one after another, under a lock."""
    monkeypatch.setattr(app_claims, "MOST_CLAIMS", 3)
    tenant_id = with_app_context(app, lambda: tenant_id_of("acme"))()

    def enter(number: int) -> Callable[[], str]:
        new = NewApp(f"wxcafe00000003{number:04}", "x", "closed", "json", WRONG)

        def action() -> str:
            try:
                app_claims.claim_app(OPERATOR, tenant_id, new)
            except Exception as error:
                return str(error)
            return "entered"

        return with_app_context(app, action)

    outcomes = run_concurrently([enter(number) for number in range(8)])
    assert sorted(outcomes) == ["app_claims_too_many"] * 5 + ["entered"] * 3
    assert rows.count("app_claims") == 3


def test_no_database_connection_is_held_while_wechat_verifies_a_claim(
    app: Flask, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding, verifying and moving an app hold no connection during the call to WeChat."""
    held: list[int] = []
    fetch = transport.Transport.exchange

    def exchange(*given: Any) -> Any:
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        held.append(rows(f"{idle} AND datname = current_database()")[0][0])
        return fetch(*given)

    monkeypatch.setattr(transport.Transport, "exchange", exchange)
    ann = signed_in(app, "ann@acme.example", "tenant_admin", "acme")
    new = {"appid": CAFE.appid, "name": "Café", "secret": WRONG}
    assert ann("POST", "/tenants/acme/apps", json=new).status_code == 201
    path = f"/tenants/acme/apps/{CAFE.appid}"
    assert ann("POST", f"{path}/verification", json={}).status_code == 200
    ann("PUT", f"{path}/secrets", json={"secret": CAFE.secret})
    assert ann("POST", f"{path}/verification", json={}).json["state"] == "active"
    claim(app, "globex")
    with app.app_context():
        move_app(OPERATOR, "acme", CAFE.appid, "globex")
    assert held == [0] * 4


@pytest.mark.parametrize("used", [False, True])
def test_logins_during_the_move_of_an_app_succeed_or_return_app_unknown_or_disabled(
    used: bool, app: Flask, wechat: WeChat, rows: Reader
) -> None:
    """No session belongs to another tenant than its app, and no login fails with status 500."""
    proof(app, claim(app, "acme"))()
    people = [Person(wechat, f"person{number}", f"139001390{number:02}") for number in range(8)]
    proof(app, claim(app, "globex"))()
    if used:
        Client(app).log_in(people[0], CAFE)
    codes = [person.wx_login(CAFE) for person in people for _ in range(2)]

    def log_in(code: str) -> Callable[[], Any]:
        return lambda: Client(app).post("login", app=CAFE, code=code)

    move = with_app_context(app, lambda: move_app(OPERATOR, "acme", CAFE.appid, "globex"))
    *answers, _ = run_concurrently([*(log_in(code) for code in codes), move])
    for answer in answers:
        assert answer.status_code == 200 or failure(answer) in {
            (404, "app_unknown"),
            (403, "app_disabled"),
        }, answer.text
    mixed = (
        "SELECT count(*) FROM login_sessions s JOIN wechat_apps a USING (appid)"
        " WHERE s.tenant_id <> a.tenant_id"
    )
    assert rows(mixed) == [(0,)]
    assert rows(
        "SELECT slug FROM wechat_apps JOIN tenants t ON t.id = tenant_id"
        f" WHERE appid = '{CAFE.appid}'"
    ) == [("globex",)]


def test_app_is_either_deleted_or_used_by_a_concurrent_first_login(
    app: Flask, wechat: WeChat, rows: Reader
) -> None:
    tenant_id = with_app_context(app, lambda: tenant_id_of("acme"))()
    for number in range(5):
        with app.app_context():
            add_app("acme", NewApp(CAFE.appid, "Café", "on_login", "json", CAFE.secret))
        person = Person(wechat, f"late{number}", f"1390013910{number}")
        code = person.wx_login(CAFE)

        def delete() -> str:
            try:
                delete_app(OPERATOR, tenant_id, CAFE.appid)
            except Exception as error:
                return str(error)
            return "deleted"

        deleted, answer = run_concurrently(
            [
                with_app_context(app, delete),
                lambda code=code: Client(app).post("login", app=CAFE, code=code),
            ]
        )
        if answer.status_code == 200:
            assert deleted == "app_in_use"
            rows("DELETE FROM session_keys")
            rows("DELETE FROM login_sessions")
            rows("DELETE FROM social_accounts")
            assert with_app_context(app, delete)() == "deleted"
        else:
            assert (deleted, failure(answer)) == ("deleted", (404, "app_unknown"))
        assert rows.count("wechat_apps", f"appid = '{CAFE.appid}'") == 0


def test_deletion_is_decided_again_after_a_login_that_its_lock_did_not_prevent(
    app: Flask, client: Client, alice: Person, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a distributed database, the lock on the app does not stop a login on a worker."""
    tenant_id = with_app_context(app, lambda: tenant_id_of("acme"))()
    with app.app_context():
        add_app("acme", NewApp(CAFE.appid, "Café", "on_login", "json", CAFE.secret))
    client.log_in(alice, CAFE)
    answers: list[bool] = []
    is_used = releases.is_used

    def not_used_at_first(*given: Any) -> bool:
        answers.append(bool(answers) and is_used(*given))
        return answers[-1]

    monkeypatch.setattr(releases, "is_used", not_used_at_first)
    with app.app_context(), pytest.raises(AppInUse):
        delete_app(OPERATOR, tenant_id, CAFE.appid)
    assert answers == [False, True]
    assert rows.count("social_accounts", f"appid = '{CAFE.appid}'") == 1
