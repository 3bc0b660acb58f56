"""Verification of an appid and its AppSecret with WeChat, and the advice for each error."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.services.apps.app_verification import verify_app
from app.services.apps.errcode_advice import ADVICE
from app.wechat import AppMisconfigured, transport
from app.wechat.client import ABOUT_OUR_IP
from app.wechat.errcodes import MEANINGS
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat

NEW = "e1" * 16
UNKNOWN = "wxdddd000000000001"
FETCH = "/cgi-bin/stable_token"

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a command and checks that its output contains no secret."""

    def run(*arguments: str, stdin: str = "") -> Result:
        result = app.test_cli_runner().invoke(args=["apps", *arguments], input=f"{stdin}\n")
        assert not stdin or stdin not in result.output
        assert ACME_SHOP.secret not in result.output
        return result

    return run


@pytest.fixture
def set_wechat_app(wechat: WeChat) -> Iterator[Callable[..., Any]]:
    """Return a function that changes the app at WeChat. The app is restored after the test."""
    usual = {"appid": ACME_SHOP.appid, "secret": ACME_SHOP.secret, "open_platform": "acme"}

    def set_wechat_app(**changes: Any) -> None:
        wechat.control("apps", **usual | changes)

    yield set_wechat_app
    set_wechat_app()


def test_verify_command_reports_a_correct_app_secret_as_accepted(run: Run) -> None:
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 0
    assert verified.output == (
        "AppSecret: WeChat accepts appid and AppSecret. 微信接受该 appid 和 AppSecret。\n"
    )


def test_app_verification_does_not_change_the_access_token(
    run: Run, client: Client, wechat: WeChat, alice: Person, bob: Person, rows: Reader
) -> None:
    """Verification uses an endpoint that does not invalidate the token used by phone requests."""
    client.bind(alice)
    before = rows("SELECT * FROM wechat_access_tokens"), wechat.ask("tokens", appid=ACME_SHOP.appid)
    for _ in range(3):
        assert run("verify", ACME_SHOP.appid).exit_code == 0
    after = rows("SELECT * FROM wechat_access_tokens"), wechat.ask("tokens", appid=ACME_SHOP.appid)
    assert after == before
    assert client.bind(bob)["bound"]


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 40243, 89503])
def test_verify_command_explains_wechat_errors_in_english_and_chinese(
    errcode: int, run: Run, wechat: WeChat
) -> None:
    wechat.fault("errcode", FETCH, errcode=errcode)
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 1
    english = ADVICE[errcode].split("{ip}")[0]
    assert verified.output.startswith(f"AppSecret: {errcode}: {english}")
    assert verified.output.endswith("。\n")
    assert "{" not in verified.output


def test_each_errcode_has_different_advice() -> None:
    assert len(set(ADVICE.values())) == len(ADVICE)


def test_verify_command_names_our_ip_address_if_it_is_missing_from_the_whitelist(
    run: Run, set_wechat_app: Callable[..., Any]
) -> None:
    set_wechat_app(ip_whitelist=["203.0.113.9"])
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 1
    assert "Add 127.0.0.1 to the IP whitelist" in verified.output
    assert "把 127.0.0.1 加入 IP 白名单" in verified.output


def test_verify_command_reports_frozen_and_reset_secrets_as_different_errors(
    run: Run, set_wechat_app: Callable[..., Any]
) -> None:
    for change, errcode in (({"frozen": True}, 40243), ({"secret": NEW}, 40125)):
        set_wechat_app(**change)
        assert f"AppSecret: {errcode}: " in run("verify", ACME_SHOP.appid).output


def test_verify_command_shows_an_errcode_without_advice(run: Run, wechat: WeChat) -> None:
    wechat.fault("errcode", FETCH, errcode=61003)
    assert "returned errcode 61003" in run("verify", ACME_SHOP.appid).output


@pytest.mark.parametrize("kind", ["busy", "rate_limited", "html", "drop"])
def test_verify_command_reports_unavailable_wechat_and_not_a_wrong_secret(
    kind: str, run: Run, wechat: WeChat
) -> None:
    wechat.fault(kind, FETCH)
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 1
    assert "could not be verified" in verified.output


def test_verify_command_verifies_the_current_and_the_next_app_secret(
    app: Flask, run: Run, set_wechat_app: Callable[..., Any]
) -> None:
    assert run("set-next-secret", ACME_SHOP.appid, "--secret-stdin", stdin=NEW).exit_code == 0
    before = run("verify", ACME_SHOP.appid)
    assert before.exit_code == 0
    assert (
        "next AppSecret 下一个 AppSecret: 40125: WeChat does not accept the next" in before.output
    )

    set_wechat_app(secret=NEW)
    after = run("verify", ACME_SHOP.appid)
    assert after.exit_code == 0, "logins work with the next AppSecret"
    current, following = after.output.splitlines()
    assert current.startswith("AppSecret: 40125: ")
    assert following.startswith("next AppSecret 下一个 AppSecret: WeChat accepts")
    with app.app_context():
        assert [one.outcome for one in verify_app(ACME_SHOP.appid)] == ["wrong", "right"]

    assert run("set-next-secret", ACME_SHOP.appid, "--remove").exit_code == 0
    assert run("verify", ACME_SHOP.appid).exit_code == 1


def test_set_next_secret_refuses_the_current_secret_and_set_secret_removes_the_next_one(
    run: Run,
) -> None:
    """The output of each command reports the refusal or the removal."""

    def enter(command: str, secret: str) -> Result:
        return run(command, ACME_SHOP.appid, "--secret-stdin", stdin=secret)

    same = enter("set-next-secret", ACME_SHOP.secret)
    assert (same.exit_code, "This AppSecret is already in use" in same.output) == (
        1,
        True,
    )
    assert enter("set-next-secret", NEW).exit_code == 0
    assert "next AppSecret was removed" in enter("set-secret", "e2" * 16).output
    assert "next" not in enter("set-secret", "e3" * 16).output


def test_verify_command_accepts_a_disabled_app_and_refuses_an_unknown_app(run: Run) -> None:
    run("disable", GLOBEX_LIFE.appid)
    assert run("verify", GLOBEX_LIFE.appid).exit_code == 0
    for command in (["verify"], ["set-next-secret", "--remove"]):
        refused = run(*command, UNKNOWN)
        assert (refused.exit_code, "app_unknown" in refused.output) == (1, True)
    assert run("set-next-secret", ACME_SHOP.appid, "--secret-stdin", stdin="b a d").exit_code == 2


def test_add_command_leaves_the_app_pending_if_wechat_does_not_accept_its_secret(
    run: Run, wechat: WeChat, rows: Reader
) -> None:
    """The exit code is 1 for a pending app, and the output contains the advice."""
    options = ("--tenant", "acme", "--name", "New", "--secret-stdin")
    cases = [
        ("wxdddd000000000001", None, "AppSecret: 40013: WeChat does not know this appid."),
        ("wxdddd000000000002", "drop", "could not be verified"),
    ]
    for appid, fault, advice in cases:
        wechat.control("reset")
        if fault:
            wechat.fault(fault, FETCH)
        added = run("add", appid, *options, stdin=NEW)
        assert added.exit_code == 1, added.output
        assert f"{appid} is pending for acme." in added.output
        assert advice in added.output
        assert wechat.calls()
    assert rows.count("wechat_apps", "appid LIKE 'wxdddd%'") == 0
    assert rows.count("app_claims", "appid LIKE 'wxdddd%' AND closed_at IS NULL") == 2


def test_add_command_with_unproven_activates_an_app_without_a_call_to_wechat(
    run: Run, wechat: WeChat, rows: Reader
) -> None:
    """Platform admins may activate an app while WeChat is unreachable."""
    wechat.control("reset")
    options = ("--tenant", "acme", "--name", "New", "--secret-stdin", "--unproven")
    added = run("add", "wxdddd000000000003", *options, stdin=NEW)
    assert (added.exit_code, wechat.calls()) == (0, [])
    assert "Added wxdddd000000000003 to acme." in added.output
    assert rows.count("wechat_apps", "appid = 'wxdddd000000000003' AND enabled") == 1


@pytest.mark.real_commits
def test_no_database_connection_is_held_while_an_app_is_verified(
    app: Flask, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    fetch = transport.Transport.exchange

    def exchange(*given: Any) -> Any:
        active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        held.append(rows(f"{active} AND datname = current_database()")[0][0])
        return fetch(*given)

    monkeypatch.setattr(transport.Transport, "exchange", exchange)
    with app.app_context():
        verify_app(ACME_SHOP.appid)
    assert held == [0]


def test_every_errcode_with_advice_maps_to_app_misconfigured() -> None:
    assert set(ADVICE) <= set(MEANINGS)
    assert all(issubclass(MEANINGS[errcode], AppMisconfigured) for errcode in ADVICE)


def test_advice_names_our_ip_address_for_the_errcodes_that_report_it() -> None:
    assert {errcode for errcode, advice in ADVICE.items() if "{ip}" in advice} == set(ABOUT_OUR_IP)
