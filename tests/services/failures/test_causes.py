"""Kinds, reasons and remedies of error codes and errcodes."""

import string

import pytest

from app.errors import FAILURES
from app.languages import SPOKEN, all_translated
from app.services.apps.errcode_advice import ADVICE, LOGIN_ADVICE, REASONS
from app.services.failures.causes import CAUSES, Kind, fill, find_cause
from app.wechat.errcodes import MEANINGS


@pytest.mark.parametrize(
    ("code", "errcode", "kind"),
    [
        ("wechat_app_misconfigured", 40125, Kind.APP),
        ("wechat_app_misconfigured", 40164, Kind.APP),
        ("wechat_app_misconfigured", 50007, Kind.APP),
        ("wechat_app_misconfigured", 99999, Kind.APP),
        ("wechat_rate_limited", 45009, Kind.APP),
        ("wechat_rate_limited", 45011, Kind.WECHAT),
        ("wechat_unavailable", -1, Kind.WECHAT),
        ("wechat_unavailable", None, Kind.WECHAT),
        ("wechat_circuit_open", None, Kind.WECHAT),
        ("database_unavailable", None, Kind.SERVICE),
        ("migrations_missing", None, Kind.SERVICE),
        ("passwords_busy", None, Kind.SERVICE),
        ("registration_closed", None, Kind.SETTINGS),
        ("tenant_disabled", None, Kind.SETTINGS),
        ("credentials_wrong", None, Kind.CLIENT),
        ("code_invalid", 40029, Kind.CLIENT),
    ],
)
def test_cause_has_the_kind_of_what_fails(code: str, errcode: int | None, kind: Kind) -> None:
    cause = find_cause(code, errcode)
    assert cause is not None
    assert cause.kind == kind


@pytest.mark.parametrize(
    "code", ["token_missing", "session_expired", "jwt_invalid", "not_found", "push_replayed", "x"]
)
def test_refusals_of_requests_other_than_logins_are_no_causes(code: str) -> None:
    assert find_cause(code) is None


def test_every_server_error_is_a_cause() -> None:
    server_errors = {code for code, failure in FAILURES.items() if failure.status >= 500}
    assert all(find_cause(code) for code in server_errors)
    assert FAILURES.keys() >= CAUSES.keys()


def test_advice_for_appsecrets_and_for_logins_is_one_table() -> None:
    assert LOGIN_ADVICE.keys() >= ADVICE.keys()
    assert LOGIN_ADVICE[40125] is ADVICE[40125]
    assert LOGIN_ADVICE.keys() == REASONS.keys() <= MEANINGS.keys()


def test_remedy_names_the_address_that_wechat_rejects() -> None:
    cause = find_cause("wechat_app_misconfigured", 40164)
    assert cause is not None
    remedy = fill(cause, 40164, "203.0.113.7")
    assert "Add 203.0.113.7 to the IP whitelist" in remedy.text.format(**remedy.values)


def test_remedy_names_an_unknown_errcode() -> None:
    cause = find_cause("wechat_app_misconfigured", 12345)
    assert cause is not None
    remedy = fill(cause, 12345, None)
    assert "errcode 12345" in remedy.text.format(**remedy.values)


@pytest.mark.parametrize("language", SPOKEN)
def test_every_reason_and_remedy_is_translated_and_filled(app: object, language: str) -> None:
    texts = {one.why for one in CAUSES.values()} | {one.remedy for one in CAUSES.values()}
    texts |= {*REASONS.values(), *LOGIN_ADVICE.values()}
    values = {"errcode": "1", "ip": "203.0.113.7"}
    with app.app_context():  # type: ignore[attr-defined]
        for text in texts:
            told = all_translated([text], language, values)
            assert not {name for _, name, _, _ in string.Formatter().parse(told) if name}
            assert (told != text.format(**values)) is (language == "zh"), text
