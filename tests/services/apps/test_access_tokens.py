"""WeChat access tokens: fetching, sharing between requests, and renewal after a rejection."""

from datetime import timedelta

import pytest
from flask import Flask

from app.clock import now
from app.services.apps.apps import get_app
from app.services.apps.wechat_calls import _end_lease
from app.wechat import AccessToken, http_connections
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person, Reader, WeChat, failure
from tests.services.login.test_concurrency import run_concurrently

FETCH = "/cgi-bin/stable_token"


def count_fetches(wechat: WeChat) -> int:
    """Return the number of requests that WeChat received for an access token."""
    return sum(call["path"] == FETCH for call in wechat.calls())


def test_login_fetches_no_access_token(client: Client, wechat: WeChat, alice: Person) -> None:
    """An outage of the token endpoint does not affect logins."""
    client.log_in(alice)
    assert [call["path"] for call in wechat.calls()] == ["/sns/jscode2session"]


def test_stored_access_token_is_used_by_the_next_phone_request(
    client: Client, wechat: WeChat, alice: Person, bob: Person
) -> None:
    """WeChat limits the number of access tokens that an app may fetch per day."""
    client.bind(alice)
    client.bind(bob)
    assert count_fetches(wechat) == 1


def test_each_app_has_its_own_access_token(client: Client, wechat: WeChat, alice: Person) -> None:
    client.bind(alice, ACME_SHOP)
    client.bind(alice, GLOBEX_LIFE)
    assert count_fetches(wechat) == 2


def test_rejected_access_token_is_replaced_and_the_phone_code_is_retried(
    client: Client, wechat: WeChat, alice: Person, bob: Person
) -> None:
    """WeChat rejects a token after another system has fetched a new token for the same app."""
    client.bind(alice)
    wechat.fault("stale_token", "/wxa/business/getuserphonenumber", times=1)
    assert client.bind(bob)["bound"]
    assert count_fetches(wechat) == 2


def test_access_token_refresh_is_forced_if_wechat_returns_the_rejected_token_again(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    """Without `force_refresh`, WeChat would return the rejected token again."""
    client.bind(alice)
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=40001, times=1)
    previous_token = rows("SELECT token_sealed FROM wechat_access_tokens")
    assert client.bind(alice)["bound"]
    assert rows("SELECT token_sealed FROM wechat_access_tokens") != previous_token
    assert wechat.calls()[-2]["body"].count("force_refresh") == 1


def test_phone_request_replaces_a_rejected_access_token_only_once(
    client: Client, wechat: WeChat, alice: Person
) -> None:
    token = client.log_in(alice)["token"]
    wechat.fault("errcode", "/wxa/business/getuserphonenumber", errcode=42001)
    refused = client.post("phone", token, **alice.tap_phone_new())
    assert failure(refused) == (503, "wechat_unavailable")
    asked = [c for c in wechat.calls() if c["path"] == "/wxa/business/getuserphonenumber"]
    assert len(asked) == 2


def test_access_token_is_renewed_before_it_expires(
    client: Client, wechat: WeChat, alice: Person, rows: Reader
) -> None:
    client.bind(alice)
    rows("UPDATE wechat_access_tokens SET expires_at = now() + interval '1 minute'")
    client.bind(alice)
    assert count_fetches(wechat) == 2


def test_failed_access_token_fetch_releases_the_refresh_lease(
    client: Client, wechat: WeChat, alice: Person
) -> None:
    """The next request fetches a token without waiting for the lease to expire."""
    token = client.log_in(alice)["token"]
    wechat.fault("busy", FETCH, times=1)
    tap = alice.tap_phone_new()
    assert failure(client.post("phone", token, **tap)) == (503, "wechat_unavailable")
    assert client.post("phone", token, **tap).status_code == 200


def test_expired_access_token_lease_is_taken_over_by_the_next_request(
    client: Client, alice: Person, rows: Reader
) -> None:
    """A worker that was killed during a fetch leaves its lease behind."""
    client.bind(alice)
    rows(
        "UPDATE wechat_access_tokens SET token_sealed = NULL, expires_at = NULL,"
        " refreshing_until = now() + interval '0.3 seconds'"
    )
    assert client.bind(alice)["bound"]


def test_phone_code_of_another_user_is_refused(
    client: Client, alice: Person, bob: Person, wechat: WeChat, rows: Reader
) -> None:
    token = client.log_in(alice)["token"]
    bob.wx_login()
    refused = client.post("phone", token, **bob.tap_phone_new())
    assert failure(refused) == (400, "code_invalid")
    assert rows.count("phones") == 0
    assert wechat.calls()[-1]["openid_given"]


@pytest.mark.real_commits
def test_requests_that_waited_for_a_failed_access_token_fetch_do_not_fetch_again(
    app: Flask, client: Client, wechat: WeChat
) -> None:
    """While WeChat is unavailable, waiting requests fail together and not one after another."""
    people = [Person(wechat, f"person{number}", f"1380013{number:04}") for number in range(6)]
    tokens = [client.log_in(person)["token"] for person in people]
    taps = [person.tap_phone_new() for person in people]
    wechat.fault("timeout", FETCH, seconds=1.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_connections, "READ_TIMEOUT", 1)
        requests = [
            lambda token=token, tap=tap: Client(app).post("phone", token, **tap)
            for token, tap in zip(tokens, taps, strict=True)
        ]
        answers = run_concurrently(requests)
    assert {failure(answer) for answer in answers} == {(503, "wechat_unavailable")}
    assert count_fetches(wechat) < 4


def test_access_token_response_after_the_lease_expired_is_discarded(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    """The late response neither overwrites a newer token nor ends another request's lease."""
    client.bind(alice)
    before = rows("SELECT token_sealed, expires_at FROM wechat_access_tokens")
    rows("UPDATE wechat_access_tokens SET refreshing_until = now() + interval '30 seconds'")
    with app.app_context():
        lost = now() + timedelta(seconds=1)
        _end_lease(get_app(ACME_SHOP.appid), lost, AccessToken("late", 7200))
    assert rows("SELECT token_sealed, expires_at FROM wechat_access_tokens") == before
    assert rows.count("wechat_access_tokens", "refreshing_until IS NOT NULL") == 1
