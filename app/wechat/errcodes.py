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
    40029: CodeRejected,  # wrong, expired, truncated, another app's, or of the other kind
    40033: AppMisconfigured,  # characters WeChat cannot read in our body
    40097: AppMisconfigured,  # arguments
    40125: SecretRejected,  # wrong or reset
    40163: CodeAlreadyUsed,
    40164: AppMisconfigured,  # our address is not in the IP list
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
    48001: AppMisconfigured,  # this kind of account may not use the API
    48004: AppMisconfigured,  # API banned for this app
    50001: AppMisconfigured,  # app not authorised for the API
    50002: RateLimited,  # restricted for a while
    50004: AppMisconfigured,  # may not fetch access tokens
    50007: AppMisconfigured,  # account frozen
    87008: AppMisconfigured,  # sig_method
    89503: AppMisconfigured,  # the app's admin must confirm our address
    89506: AppMisconfigured,  # the admin refused our address, for 24 hours
    89507: AppMisconfigured,  # the admin refused our address, for an hour
}

# These calls carry the AppSecret and no access token: what sounds like a bad token is a bad secret.
WITH_APP_SECRET: Meanings = {
    errcode: AppMisconfigured
    for errcode, meaning in MEANINGS.items()
    if meaning is AccessTokenRejected
}

# This call names no appid: 40013 says that the code belongs to another app than the token
# (获取手机号), and a client may send such a code at will. What WeChat answers when code and openid
# belong to different people is unpublished; 40003 is the likely one beside 40029.
WITH_PHONE_CODE: Meanings = {40003: CodeRejected, 40013: CodeRejected}


def refusal(errcode: int, rid: str | None, of_this_call: Meanings) -> WeChatError:
    """Return the exception for an errcode. `of_this_call` overrides the general meanings."""
    meaning = of_this_call.get(errcode) or MEANINGS.get(errcode) or _unknown(errcode)
    return meaning(errcode, rid)


def is_rate_limit(errcode: int | None) -> bool:
    """Return whether WeChat refuses because it was asked too often."""
    return MEANINGS.get(errcode or 0) is RateLimited


def _unknown(errcode: int) -> type[WeChatError]:
    # WeChat's own failures are negative, refusals positive. Waiting does not resolve an unknown
    # refusal, so the operator must look it up.
    return WeChatUnavailable if errcode < 0 else AppMisconfigured
