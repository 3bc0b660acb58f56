"""Mapping of WeChat client exceptions (`app/wechat/errors.py`) to API errors."""

from app import wechat
from app.errors.failure import Failure
from app.errors.of_clients import (
    CodeInvalid,
    CodeUsed,
    Internal,
    OpenDataMalformed,
    OpenDataTooOld,
    OpenDataUnreadable,
    PersonBlocked,
    PhoneCountryMissing,
    PhoneNumberMissing,
    PushIncomplete,
    PushMalformed,
    PushNotConfigured,
    PushOfAnotherApp,
    PushSignatureWrong,
    PushStale,
    PushUndecryptable,
    PushUnencrypted,
    SessionKeyExpired,
    SignatureWrong,
    WatermarkForeign,
    WeChatMisconfigured,
    WeChatRateLimited,
    WeChatUnavailable,
)

FROM_WECHAT: dict[type[wechat.WeChatError], type[Failure]] = {
    wechat.CodeAlreadyUsed: CodeUsed,
    wechat.CodeRejected: CodeInvalid,
    wechat.PersonBlocked: PersonBlocked,
    wechat.RateLimited: WeChatRateLimited,
    wechat.AccessTokenRejected: WeChatUnavailable,
    wechat.AppMisconfigured: WeChatMisconfigured,
    wechat.WeChatUnavailable: WeChatUnavailable,
    wechat.PhoneNumberMissing: PhoneNumberMissing,
    wechat.PhoneCountryMissing: PhoneCountryMissing,
    wechat.MalformedOpenData: OpenDataMalformed,
    wechat.UnreadableOpenData: OpenDataUnreadable,
    wechat.SessionKeyStale: SessionKeyExpired,
    wechat.SignatureMismatch: SignatureWrong,
    wechat.ForeignWatermark: WatermarkForeign,
    wechat.OpenDataTooOld: OpenDataTooOld,
    wechat.PushKeyMissing: PushNotConfigured,
    wechat.PushSignatureMismatch: PushSignatureWrong,
    wechat.StalePush: PushStale,
    wechat.UnencryptedPush: PushUnencrypted,
    wechat.ForeignPush: PushOfAnotherApp,
    wechat.UndecryptablePush: PushUndecryptable,
    wechat.MalformedPush: PushMalformed,
    wechat.IncompletePush: PushIncomplete,
}


def as_failure(error: wechat.WeChatError) -> Failure:
    """Return the API error for an exception of the WeChat client, with its errcode.

    An unmapped exception is reported as its nearest mapped base class, otherwise as Internal.
    """
    known = (FROM_WECHAT[kind] for kind in type(error).__mro__ if kind in FROM_WECHAT)
    kind = next(known, None)
    failure = kind(f"{type(error).__name__}: {error}") if kind else Internal(type(error).__name__)
    failure.errcode, failure.our_ip = error.errcode, error.our_ip
    return failure
