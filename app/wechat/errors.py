"""Exceptions of the WeChat client, one class for each reaction that a caller can have.

`errcodes` maps WeChat's errcodes to these exceptions. `app/errors/from_wechat.py` maps the
exceptions to API errors.
"""


class WeChatError(Exception):
    """A failed call to WeChat, or data from WeChat that cannot be trusted or read.

    `rid` is WeChat's request id, which its support asks for. `our_ip` is the IP address from which
    WeChat received the call, if WeChat rejects that address. `reason` is a constant phrase for the
    log. It never contains text from WeChat or a client, which may hold a secret.
    """

    def __init__(
        self, errcode: int | None = None, rid: str | None = None, *, reason: str = ""
    ) -> None:
        super().__init__(errcode, rid)
        self.errcode = errcode
        self.rid = rid
        self.reason = reason
        self.our_ip: str | None = None

    def __str__(self) -> str:
        facts = {"errcode": self.errcode, "rid": self.rid, "reason": self.reason}
        facts["our_ip"] = self.our_ip
        known = [f"{name}={value}" for name, value in facts.items() if value not in (None, "")]
        return ", ".join(known) or type(self).__name__


class CodeRejected(WeChatError):
    """The code is wrong, expired or for another app. The client must get a new code."""


class CodeAlreadyUsed(CodeRejected):
    """The single-use code has already been exchanged. The client must get a new code."""


class PersonBlocked(WeChatError):
    """WeChat classifies this person as high-risk and refuses the login."""


class RateLimited(WeChatError):
    """Too many calls for this app or person. Retry in a minute, or in a day for a daily quota."""


class AccessTokenRejected(WeChatError):
    """The access token is wrong, expired or missing. Fetch a new one and retry once."""


class AppMisconfigured(WeChatError):
    """Appid, AppSecret, permission, IP allowlist or request is wrong. The operator must act."""


class SecretRejected(AppMisconfigured):
    """The AppSecret is wrong or was reset. A code in the request is still valid."""


class WeChatUnavailable(WeChatError):
    """WeChat is busy, does not respond, or sent an invalid response. Retry later.

    `maybe_consumed` is true if a single-use code in the request may be used up, so that a retry
    needs a new code. It has no meaning for calls without a code. `answered` is true if WeChat sent
    a response, valid or not.
    """

    def __init__(
        self,
        errcode: int | None = None,
        rid: str | None = None,
        *,
        reason: str = "",
        maybe_consumed: bool = True,
        answered: bool = True,
    ) -> None:
        super().__init__(errcode, rid, reason=reason)
        self.maybe_consumed = maybe_consumed
        self.answered = answered


class PhoneNumberMissing(WeChatError):
    """WeChat's phone data has no phone number, or an empty one."""


class PhoneCountryMissing(WeChatError):
    """WeChat's phone data has no country code, or one that is not a number."""


class OpenDataError(WeChatError):
    """Open data (开放数据) from a client cannot be trusted or read."""


class MalformedOpenData(OpenDataError):
    """The client sent data that is not open data, or not the expected type of open data."""


class UnreadableOpenData(OpenDataError):
    """The data was decrypted with the right session_key, but the result is not valid JSON."""


class SessionKeyStale(OpenDataError):
    """The session_key does not decrypt this open data. Log in again, then get new open data."""


class SignatureMismatch(OpenDataError):
    """The signature of rawData is wrong for this session_key."""


class ForeignWatermark(OpenDataError):
    """The appid in the watermark of the open data is missing or another app's."""


class OpenDataTooOld(OpenDataError):
    """The timestamp in the watermark of the open data is too old or in the future."""


class PushError(WeChatError):
    """A pushed message did not come from WeChat, or cannot be read."""


class PushSignatureMismatch(PushError):
    """The signature of a push does not match the app's push token."""


class StalePush(PushError):
    """The signature of a push is valid, but its timestamp is too old or in the future."""


class MalformedPush(PushError):
    """The body of a push is neither JSON nor XML."""


class UndecryptablePush(PushError):
    """The signature of a push is valid, but the EncodingAESKey does not decrypt the message."""


class IncompletePush(PushError):
    """A required field of a push is missing, or a field has an invalid value."""


class UnencryptedPush(PushError):
    """An unencrypted push for an app with an EncodingAESKey. The sender cannot be verified."""


class PushKeyMissing(PushError):
    """An encrypted push for an app without an EncodingAESKey. The operator must set the key."""


class ForeignPush(PushError):
    """The pushed message was encrypted for another app."""
