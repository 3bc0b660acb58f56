"""The example back ends ask wxpass about login tokens, and admit nobody else."""

import http.client
import time
from urllib.parse import urlsplit

import pytest

from tests.docs.back_ends import BackEnd
from tests.docs.gateway import BAD_ANSWERS, Gateway
from tests.docs.site import LIFE, Site
from tests.fixtures.waiting import until

VERIFY = "/v1/verify"
GARBAGE = [
    *("", "Bearer", "Bearer ", "Basic YWxpY2U6cGFzc3dvcmQ=", "Token abc", "Bearer a b", "Bearera"),
    *("Bearer a,Bearer b", "Bearer \xff\xfe", "Bearer \xe9", "Bearer a\tb", "Bearer 'or 1=1--"),
    *("Bearer " + "x" * 4097, "Bearer a\x00b"),
]


def test_the_user_of_a_login_token_is_admitted(back_end: BackEnd, site: Site) -> None:
    token = site.log_in("alice")
    answer = back_end.get("/orders", token)
    assert (answer.status_code, answer.json()) == (200, {"user": site.user_of(token)})


def test_the_headers_of_a_client_do_not_choose_the_user(back_end: BackEnd, site: Site) -> None:
    forged = {"X-User-Id": "another", "X-Tenant-Id": "another"}
    assert back_end.get("/orders", **forged).status_code == 401
    token = site.log_in("alice")
    assert back_end.get("/orders", token, **forged).json() == {"user": site.user_of(token)}


def test_a_request_without_a_token_is_refused(back_end: BackEnd) -> None:
    answer = back_end.get("/orders")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    ("action", "code"), [("expire", "session_expired"), ("revoke", "session_revoked")]
)
def test_the_client_gets_the_refusal_of_wxpass_in_its_language(
    back_end: BackEnd, site: Site, action: str, code: str
) -> None:
    token = site.log_in("bob")
    assert back_end.status("/orders", token) == 200
    site.change(action, token)
    answers = [
        back_end.get("/orders", token, **{"Accept-Language": language}) for language in ("en", "zh")
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(401, code)] * 2
    english, chinese = (one.json()["detail"] for one in answers)
    assert english.isascii()
    assert not chinese.isascii()
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


def test_unknown_unbound_and_foreign_tokens_are_refused(back_end: BackEnd, site: Site) -> None:
    """A token of a user of another tenant gets 403."""
    for token, status, code in (
        ("undefined", 401, "token_missing"),
        ("wxp_unknown", 401, "token_invalid"),
        (site.jwt(site.log_in("alice")), 401, "token_invalid"),
        (site.log_in_unbound(), 401, "no_user"),
        (site.log_in("carol", LIFE), 403, "token_of_another_tenant"),
    ):
        answer = back_end.get("/orders", token)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_garbage_in_the_header_is_refused_without_asking_wxpass(
    back_end: BackEnd, gateway: Gateway
) -> None:
    asked = len(gateway.paths)
    for path in ("/orders", "/reports"):
        for value in GARBAGE:
            assert status_of_header(back_end, path, value) in (400, 401), (path, value)
    assert len(gateway.paths) == asked


def status_of_header(back_end: BackEnd, path: str, value: str) -> int:
    """Return the status of a request with a header that `requests` would not send."""
    connection = http.client.HTTPConnection(urlsplit(back_end.url).netloc, timeout=10)
    connection.putrequest("GET", path)
    connection._buffer.append(b"Authorization: " + value.encode("latin-1"))  # type: ignore[attr-defined]
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("behaviour", ["hang", "drop", "refuse", "garbage", *BAD_ANSWERS])
def test_nobody_is_admitted_while_wxpass_is_unavailable(
    back_end: BackEnd, site: Site, gateway: Gateway, behaviour: str
) -> None:
    """The answer arrives within 4 seconds, also if wxpass hangs."""
    token = site.log_in("alice")
    gateway.behave(behaviour)
    began = time.monotonic()
    answer = back_end.get("/orders", token)
    assert time.monotonic() - began < 4
    assert (answer.status_code, answer.json()["code"]) == (503, "wxpass_unavailable")
    gateway.behave("forward")
    until(lambda: back_end.status("/orders", token) == 200, seconds=10)


def test_wxpass_is_asked_about_every_request(
    back_end: BackEnd, site: Site, gateway: Gateway
) -> None:
    """A cached answer would admit a user after the logout."""
    token, asked = site.log_in("alice"), gateway.count(VERIFY)
    assert [back_end.status("/orders", token) for _ in range(3)] == [200] * 3
    assert gateway.count(VERIFY) == asked + 3
