"""Whether appid and AppSecret are right: asked of WeChat, said in words, harmless to ask."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.services.apps.app_verification import verify_app
from app.services.apps.errcode_advice import ADVICE
from app.wechat import transport
from app.wechat.errcodes import MEANINGS
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat

NEW = "e1" * 16
UNKNOWN = "wxdddd000000000001"
FETCH = "/cgi-bin/stable_token"

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command, which never shows what it is told."""

    def run(*arguments: str, said: str = "") -> Result:
        result = app.test_cli_runner().invoke(args=["apps", *arguments], input=f"{said}\n")
        assert not said or said not in result.output
        assert ACME_SHOP.secret not in result.output
        return result

    return run


@pytest.fixture
def known(wechat: WeChat) -> Iterator[Callable[..., Any]]:
    """Change what WeChat knows of the app; as before after the test."""
    usual = {"appid": ACME_SHOP.appid, "secret": ACME_SHOP.secret, "open_platform": "acme"}

    def known(**changes: Any) -> None:
        wechat.control("apps", **usual | changes)

    yield known
    known()


def test_a_right_secret_is_called_right(run: Run) -> None:
    """Otherwise an operator looks for a fault that is not there."""
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 0
    assert verified.output == (
        "AppSecret: WeChat accepts appid and AppSecret. 微信接受该 appid 和 AppSecret。\n"
    )


def test_asking_leaves_the_token_that_phones_are_fetched_with(
    run: Run, client: Client, wechat: WeChat, alice: Person, bob: Person, rows: Reader
) -> None:
    """Otherwise looking whether all is well is what breaks it."""
    client.bind(alice)
    before = rows("SELECT * FROM wechat_access_tokens"), wechat.ask("tokens", appid=ACME_SHOP.appid)
    for _ in range(3):
        assert run("verify", ACME_SHOP.appid).exit_code == 0
    after = rows("SELECT * FROM wechat_access_tokens"), wechat.ask("tokens", appid=ACME_SHOP.appid)
    assert after == before
    assert client.bind(bob)["bound"]


@pytest.mark.parametrize("errcode", [40013, 40125, 40164, 40243, 89503])
def test_a_refusal_is_told_in_words(errcode: int, run: Run, wechat: WeChat) -> None:
    """Otherwise an operator has to find out what WeChat means, and what to do."""
    wechat.fault("errcode", FETCH, errcode=errcode)
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 1
    english = ADVICE[errcode].split("{ip}")[0]
    assert verified.output.startswith(f"AppSecret: {errcode}: {english}")
    assert verified.output.endswith("。\n")
    assert "{" not in verified.output


def test_no_advice_is_given_twice() -> None:
    """Otherwise two numbers send an operator the same way, or one sends them astray."""
    assert len(set(ADVICE.values())) == len(ADVICE)


def test_the_address_to_list_is_named(run: Run, known: Callable[..., Any]) -> None:
    """Otherwise an operator behind several gateways guesses which address is meant."""
    known(ip_whitelist=["203.0.113.9"])
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 1
    assert "Add 127.0.0.1 to the IP whitelist" in verified.output
    assert "把 127.0.0.1 加入 IP 白名单" in verified.output


def test_a_secret_that_was_frozen_or_reset_is_told_apart(
    run: Run, known: Callable[..., Any]
) -> None:
    """Otherwise the simulator says what WeChat does not, or the words belong to another fault."""
    for change, errcode in (({"frozen": True}, 40243), ({"secret": NEW}, 40125)):
        known(**change)
        assert f"AppSecret: {errcode}: " in run("verify", ACME_SHOP.appid).output


def test_an_errcode_that_nobody_has_heard_of_is_told(run: Run, wechat: WeChat) -> None:
    """Otherwise there is nothing to look up."""
    wechat.fault("errcode", FETCH, errcode=61003)
    assert "returned errcode 61003" in run("verify", ACME_SHOP.appid).output


@pytest.mark.parametrize("kind", ["busy", "rate_limited", "html", "drop"])
def test_silence_is_not_taken_for_a_wrong_secret(kind: str, run: Run, wechat: WeChat) -> None:
    """Otherwise an operator resets a good secret because WeChat was away."""
    wechat.fault(kind, FETCH)
    verified = run("verify", ACME_SHOP.appid)
    assert verified.exit_code == 1
    assert "could not be verified" in verified.output


def test_a_next_secret_is_verified_too(app: Flask, run: Run, known: Callable[..., Any]) -> None:
    """Otherwise it is known to be wrong when it is needed."""
    assert run("set-next-secret", ACME_SHOP.appid, "--secret-stdin", said=NEW).exit_code == 0
    before = run("verify", ACME_SHOP.appid)
    assert before.exit_code == 0
    assert (
        "next AppSecret 下一个 AppSecret: 40125: WeChat does not accept the next" in before.output
    )

    known(secret=NEW)
    after = run("verify", ACME_SHOP.appid)
    assert after.exit_code == 0, "logins work: the next one is used"
    current, following = after.output.splitlines()
    assert current.startswith("AppSecret: 40125: ")
    assert following.startswith("next AppSecret 下一个 AppSecret: WeChat accepts")
    with app.app_context():
        assert [one.outcome for one in verify_app(ACME_SHOP.appid)] == ["wrong", "right"]

    assert run("set-next-secret", ACME_SHOP.appid, "--remove").exit_code == 0
    assert run("verify", ACME_SHOP.appid).exit_code == 1


def test_an_operator_is_told_what_becomes_of_the_next_secret(run: Run) -> None:
    """Otherwise somebody relies on a next secret that is not there."""

    def enter(command: str, secret: str) -> Result:
        return run(command, ACME_SHOP.appid, "--secret-stdin", said=secret)

    same = enter("set-next-secret", ACME_SHOP.secret)
    assert (same.exit_code, "This AppSecret is already in use" in same.output) == (
        1,
        True,
    )
    assert enter("set-next-secret", NEW).exit_code == 0
    assert "next AppSecret was removed" in enter("set-secret", "e2" * 16).output
    assert "next" not in enter("set-secret", "e3" * 16).output


def test_an_app_that_is_off_is_verified_and_an_unknown_one_refused(run: Run) -> None:
    """Otherwise a secret cannot be verified before people come."""
    run("disable", GLOBEX_LIFE.appid)
    assert run("verify", GLOBEX_LIFE.appid).exit_code == 0
    for command in (["verify"], ["set-next-secret", "--remove"]):
        refused = run(*command, UNKNOWN)
        assert (refused.exit_code, "app_unknown" in refused.output) == (1, True)
    assert run("set-next-secret", ACME_SHOP.appid, "--secret-stdin", said="b a d").exit_code == 2


def test_an_added_app_is_pending_until_wechat_accepts_its_secret(
    run: Run, wechat: WeChat, rows: Reader
) -> None:
    """The exit code says whether the app is active, and the output what to do if it is not."""
    options = ("--tenant", "acme", "--name", "New", "--secret-stdin")
    cases = [
        ("wxdddd000000000001", None, "AppSecret: 40013: WeChat does not know this appid."),
        ("wxdddd000000000002", "drop", "could not be verified"),
    ]
    for appid, fault, told in cases:
        wechat.control("reset")
        if fault:
            wechat.fault(fault, FETCH)
        added = run("add", appid, *options, said=NEW)
        assert added.exit_code == 1, added.output
        assert f"{appid} is pending for acme." in added.output
        assert told in added.output
        assert wechat.calls()
    assert rows.count("wechat_apps", "appid LIKE 'wxdddd%'") == 0
    assert rows.count("app_claims", "appid LIKE 'wxdddd%' AND closed_at IS NULL") == 2


def test_an_app_is_added_without_asking_wechat_on_demand(
    run: Run, wechat: WeChat, rows: Reader
) -> None:
    """The command line is the platform's, and WeChat may be out of reach."""
    wechat.control("reset")
    options = ("--tenant", "acme", "--name", "New", "--secret-stdin", "--unproven")
    added = run("add", "wxdddd000000000003", *options, said=NEW)
    assert (added.exit_code, wechat.calls()) == (0, [])
    assert "Added wxdddd000000000003 to acme." in added.output
    assert rows.count("wechat_apps", "appid = 'wxdddd000000000003' AND enabled") == 1


@pytest.mark.real_commits
def test_no_connection_is_held_while_waiting_for_the_verdict(
    app: Flask, wechat: WeChat, rows: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a console that verifies takes the connections away from logins."""
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


def test_errcodes_with_advice_are_known_to_the_wechat_client() -> None:
    assert set(ADVICE) <= set(MEANINGS)
