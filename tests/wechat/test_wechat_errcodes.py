"""The exception of each errcode of WeChat."""

import pytest

from app.wechat import (
    AccessTokenRejected,
    AppMisconfigured,
    CodeAlreadyUsed,
    CodeRejected,
    PersonBlocked,
    RateLimited,
    SecretRejected,
    WeChatUnavailable,
)
from app.wechat.errcodes import WITH_APP_SECRET, WITH_PHONE_CODE, refusal

EVERYWHERE = {
    CodeRejected: [40029, 41008, 42003],
    CodeAlreadyUsed: [40163],
    PersonBlocked: [40226],
    RateLimited: [45009, 45011, 50002],
    AccessTokenRejected: [40001, 40014, 41001, 42001],
    AppMisconfigured: [
        40002, 40003, 40013, 40033, 40097, 40164, 40243, 41002, 41004, 43001, 43002, 43003,
        44002, 47001, 48001, 48004, 50001, 50004, 50007, 87008, 89503, 89506, 89507,
    ],
    SecretRejected: [40125],
    WeChatUnavailable: [-1],
}  # fmt: skip
ROWS = [(errcode, meaning) for meaning, errcodes in EVERYWHERE.items() for errcode in errcodes]


@pytest.mark.parametrize(("errcode", "meaning"), ROWS)
def test_each_errcode_maps_to_its_exception(errcode, meaning):
    error = refusal(errcode, "rid", {})
    assert type(error) is meaning
    assert (error.errcode, error.rid) == (errcode, "rid")
    assert str(errcode) in str(error)


@pytest.mark.parametrize("errcode", EVERYWHERE[AccessTokenRejected])
def test_access_token_errcodes_of_calls_with_app_secret_raise_app_misconfigured(errcode):
    assert type(refusal(errcode, None, WITH_APP_SECRET)) is AppMisconfigured


@pytest.mark.parametrize(("errcode", "meaning"), ROWS)
def test_other_errcodes_raise_the_same_exception_for_calls_with_app_secret(errcode, meaning):
    if meaning is not AccessTokenRejected:
        assert type(refusal(errcode, None, WITH_APP_SECRET)) is meaning


@pytest.mark.parametrize("errcode", [40003, 40013, 40163])
def test_errcodes_40003_40013_and_40163_of_a_phone_code_raise_code_rejected(errcode):
    assert type(refusal(errcode, None, WITH_PHONE_CODE)) is CodeRejected


def test_code_already_used_is_a_subclass_of_code_rejected():
    assert isinstance(refusal(40163, None, {}), CodeRejected)


@pytest.mark.parametrize(
    ("errcode", "meaning"), [(99999, AppMisconfigured), (-8, WeChatUnavailable)]
)
def test_unknown_errcodes_raise_app_misconfigured_if_positive_and_unavailable_if_negative(
    errcode, meaning
):
    assert type(refusal(errcode, None, {})) is meaning


def test_errcode_minus_1_reports_that_the_code_may_be_used_up():
    error = refusal(-1, None, {})
    assert isinstance(error, WeChatUnavailable)
    assert error.maybe_consumed
