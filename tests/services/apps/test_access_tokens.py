"""WeChat's access token: fetched once, shared, healed once."""

from datetime import timedelta

import pytest
from flask import Flask

from app.clock import now
from app.services.apps.apps import get_app
from app.services.apps.wechat_calls import _end_lease
from app.wechat import AccessToken, transport
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat, failure
from tests.services.login.test_concurrency import run_concurrently

FETCH = "/cgi-bin/stable_token"


def fetches(wechat: WeChat) -> int:
    """Count how often a token was fetched."""
    return sum(call["path"] == FETCH for call in wechat.calls())


def test_a_login_fetches_no_access_token(client: Client, wechat: WeChat, alice: Person) -> None:
    """Otherwise trouble with tokens takes the login down, which needs none."""
    client.log_in(alice)
    assert [call["path"] for call in wechat.calls()] == ["/sns/jscode2session"]


def test_a_token_is_kept_for_the_next_call(
    client: Client, wechat: WeChat, alice: Person, bob: Person
) -> None:
    """Otherwise every phone costs two calls, and the quota."""
    client.bind(alice)
    client.bind(bob)
    assert fetches(wechat) == 1


def test_each_app_has_a_token_of_its_own(client: Client, wechat: WeChat, alice: Person) -> None:
    """Otherwise tenants' tokens are mixed up."""
    client.bind(alice, ACME_SHOP)
    client.bind(alice, GLOBEX_LIFE)
    assert fetches(wechat) == 2


def test_a_token_that_wechat_rejects_is_healed_once_with_the_same_code(
    client: Client, wechat: WeChat, alice: Person, bob: Person
) -> None:
    """Otherwise a token that somebody else refreshed fails people until it expires."""
    client.bind(alice)
    wechat.fault("stale_token", "/wxa/business/getuserphonenumber", times=1)
    assert client.bind(bob)["bound"]
    assert fetches(wechat) == 2


def test_a_token_that_wechat_still_gives_but_rejects_is_forced(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Otherwise the same dead token is fetched for ever."""
    client.bind(alice)
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=40001, times=1)
    kept = rows("SELECT token_sealed FROM wechat_access_tokens")
    assert client.bind(alice)["bound"]
    assert rows("SELECT token_sealed FROM wechat_access_tokens") != kept
    assert wechat.calls()[-2]["body"].count("force_refresh") == 1


def test_a_token_is_healed_once_only(client: Client, wechat: WeChat, alice: Person) -> None:
    """Otherwise a rejected token makes a loop of calls."""
    token = client.log_in(alice)["token"]
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=42001)
    refused = client.post("phone", token, **alice.tap_phone_new())
    assert failure(refused) == (503, "wechat_unavailable")
    asked = [c for c in wechat.calls() if c["path"] == "/wxa/business/getuserphonenumber"]
    assert len(asked) == 2


def test_an_expired_token_is_renewed_before_it_is_used(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Otherwise every two hours somebody's phone fails."""
    client.bind(alice)
    rows("UPDATE wechat_access_tokens SET expires_at = now() + interval '1 minute'")
    client.bind(alice)
    assert fetches(wechat) == 2


def test_a_failed_fetch_gives_its_lease_back(client: Client, wechat: WeChat, alice: Person) -> None:
    """Otherwise one failure blocks everybody's phones for as long as the lease."""
    token = client.log_in(alice)["token"]
    wechat.fault("busy", FETCH, times=1)
    tap = alice.tap_phone_new()
    assert failure(client.post("phone", token, **tap)) == (503, "wechat_unavailable")
    assert client.post("phone", token, **tap).status_code == 200


def test_a_refresher_that_died_is_replaced_when_its_lease_is_over(
    client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a killed worker takes the token with it."""
    client.bind(alice)
    rows(
        "UPDATE wechat_access_tokens SET token_sealed = NULL, expires_at = NULL,"
        " refreshing_until = now() + interval '0.3 seconds'"
    )
    assert client.bind(alice)["bound"]


def test_the_phone_code_of_another_person_is_refused(
    client: Client, alice: Person, bob: Person, wechat: WeChat, rows: Reader
) -> None:
    """Otherwise I become the owner of a phone whose code I found."""
    token = client.log_in(alice)["token"]
    bob.wx_login()
    refused = client.post("phone", token, **bob.tap_phone_new())
    assert failure(refused) == (400, "code_invalid")
    assert rows.count("phones") == 0
    assert wechat.calls()[-1]["openid_given"]


@pytest.mark.real_commits
def test_those_who_waited_for_a_fetch_that_failed_do_not_try_one_after_another(
    app: Flask, client: Client, wechat: WeChat
) -> None:
    """Otherwise twenty phones wait twenty timeouts while WeChat is away."""
    people = [Person(wechat, f"person{number}", f"1380013{number:04}") for number in range(6)]
    tokens = [client.log_in(person)["token"] for person in people]
    taps = [person.tap_phone_new() for person in people]
    wechat.fault("timeout", FETCH, seconds=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "READ_TIMEOUT", 2)
        acts = [
            lambda token=token, tap=tap: Client(app).post("phone", token, **tap)
            for token, tap in zip(tokens, taps, strict=True)
        ]
        answers = run_concurrently(acts)
    assert {failure(answer) for answer in answers} == {(503, "wechat_unavailable")}
    assert fetches(wechat) < 4


def test_a_refresher_that_outlived_its_lease_changes_nothing(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """Otherwise a late answer overwrites a newer token, and frees another's lease."""
    client.bind(alice)
    before = rows("SELECT token_sealed, expires_at FROM wechat_access_tokens")
    rows("UPDATE wechat_access_tokens SET refreshing_until = now() + interval '30 seconds'")
    with app.app_context():
        lost = now() + timedelta(seconds=1)
        _end_lease(get_app(ACME_SHOP.appid), lost, AccessToken("late", 7200))
    assert rows("SELECT token_sealed, expires_at FROM wechat_access_tokens") == before
    assert rows.count("wechat_access_tokens", "refreshing_until IS NOT NULL") == 1
