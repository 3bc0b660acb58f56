"""WeChat's errcodes and the exception for each, classified by what the caller can do.

Advice for operators about the same errcodes is in `app/services/apps/errcode_advice.py`. The
numbers are from WeChat's page 全局返回码 and from the error tables of 小程序登录凭证校验,
获取稳定版接口调用凭据 and 获取手机号. errmsg is ignored: its wording changes.
"""

from collections.abc import Mapping

from app.wechat.errors import (
    AccessTokenRejected,
    AppMisconfigured,
    CodeAlreadyUsed,
    CodeRejected,
    PersonBlocked,
    RateLimited,
    SecretRejected,
    WeChatError,
    WeChatUnavailable,
)

Meanings = Mapping[int, type[WeChatError]]

MEANINGS: Meanings = {
    -1: WeChatUnavailable,  # system busy
    40001: AccessTokenRejected,  # not valid, or not the latest
    40002: AppMisconfigured,  # grant_type
    40003: AppMisconfigured,  # openid unknown to this app
    40013: AppMisconfigured,  # appid
    40014: AccessTokenRejected,  # malformed
    40029: CodeRejected,  # wrong, expired, truncated, for another app, or for the other API
    40033: AppMisconfigured,  # characters WeChat cannot read in our body
    40097: AppMisconfigured,  # arguments
    40125: SecretRejected,  # wrong or reset
    40163: CodeAlreadyUsed,
    40164: AppMisconfigured,  # our IP address is not in the app's IP allowlist
    40226: PersonBlocked,
    40243: AppMisconfigured,  # AppSecret frozen
    41001: AccessTokenRejected,  # missing
    41002: AppMisconfigured,  # appid missing
    41004: AppMisconfigured,  # AppSecret missing
    41008: CodeRejected,  # code missing
    42001: AccessTokenRejected,  # expired
    42003: CodeRejected,  # expired
    43001: AppMisconfigured,  # must be GET
    43002: AppMisconfigured,  # must be POST
    43003: AppMisconfigured,  # must be HTTPS
    44002: AppMisconfigured,  # body empty
    45009: RateLimited,  # daily quota
    45011: RateLimited,  # quota per minute
    47001: AppMisconfigured,  # body unreadable
    48001: AppMisconfigured,  # this type of account may not use the API
    48004: AppMisconfigured,  # API banned for this app
    50001: AppMisconfigured,  # app not authorised for the API
    50002: RateLimited,  # user temporarily restricted
    50004: AppMisconfigured,  # may not fetch access tokens
    50007: AppMisconfigured,  # account frozen
    87008: AppMisconfigured,  # sig_method
    89503: AppMisconfigured,  # the app's admin must confirm our IP address
    89506: AppMisconfigured,  # the admin refused our IP address, for 24 hours
    89507: AppMisconfigured,  # the admin refused our IP address, for an hour
}

# These calls send the AppSecret instead of an access token, so errcodes about the access token
# report a wrong AppSecret.
WITH_APP_SECRET: Meanings = {
    errcode: AppMisconfigured
    for errcode, meaning in MEANINGS.items()
    if meaning is AccessTokenRejected
}

# The phone number call has no appid parameter. 40013 reports that the code belongs to another app
# than the access token (获取手机号); any client can send such a code. WeChat does not publish the
# errcode for a code and openid of different people. 40003 and 40029 are the likely ones. A used
# phone code is documented as 40029, so 40163 means the same. CodeAlreadyUsed would tell the client
# to call wx.login, which returns no phone code.
WITH_PHONE_CODE: Meanings = {40003: CodeRejected, 40013: CodeRejected, 40163: CodeRejected}


def refusal(errcode: int, rid: str | None, of_this_call: Meanings) -> WeChatError:
    """Return the exception for an errcode. `of_this_call` overrides the general meanings."""
    meaning = of_this_call.get(errcode) or MEANINGS.get(errcode) or _unknown(errcode)
    return meaning(errcode, rid)


def is_rate_limit(errcode: int | None) -> bool:
    """Return whether the errcode reports that a rate limit of WeChat was exceeded."""
    return MEANINGS.get(errcode or 0) is RateLimited


def is_known_errcode(errcode: int) -> bool:
    """Return whether the errcode means success or is in the table of this module."""
    return errcode == 0 or errcode in MEANINGS


def _unknown(errcode: int) -> type[WeChatError]:
    # Negative errcodes are failures of WeChat, positive ones are refusals. A retry does not resolve
    # an unknown refusal, so the operator must look up the errcode.
    return WeChatUnavailable if errcode < 0 else AppMisconfigured
