"""Exceptions of the WeChat client, one class for each thing that a caller can do.

`errcodes` maps WeChat's errcodes to them; `app/errors/from_wechat.py` maps them to API errors.
"""


class WeChatError(Exception):
    """Describe what WeChat refused, without the content of request and response.

    `rid` is WeChat's request id, for its support and the log. `our_ip` is the address that it saw
    us at, if it objects to that. `reason` is a fixed phrase of ours for the log; text from WeChat
    or from a client never goes in, it may hold a secret.
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
    """The code is wrong, expired or another app's: call wx.login, or tap the button, again."""


class CodeAlreadyUsed(CodeRejected):
    """The code has been exchanged before; each works once."""


class PersonBlocked(WeChatError):
    """WeChat holds this person to be a high risk and refuses the login."""


class RateLimited(WeChatError):
    """Too many calls for this app or this person: wait a minute, or a day for a daily quota."""


class AccessTokenRejected(WeChatError):
    """The access token is wrong, old or missing: fetch one and try once more."""


class AppMisconfigured(WeChatError):
    """Appid, AppSecret, permission, IP list or our own request is wrong: the operator must act."""


class SecretRejected(AppMisconfigured):
    """The AppSecret is wrong or was reset. Nothing else was looked at: a code is still good."""


class WeChatUnavailable(WeChatError):
    """WeChat is busy, does not respond, or sends an invalid response: try later.

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
    """WeChat vouches for a phone, but its number is empty."""


class PhoneCountryMissing(WeChatError):
    """WeChat gives a phone number, but no country code with it, or none that is a number."""


class OpenDataError(WeChatError):
    """Open data that a client handed over cannot be trusted."""


class MalformedOpenData(OpenDataError):
    """This is not open data, or not the kind asked for: the client sent the wrong thing."""


class UnreadableOpenData(OpenDataError):
    """The data was decrypted with the right session_key, but it is not valid JSON."""


class SessionKeyStale(OpenDataError):
    """The session_key does not fit this open data: log in again, then ask for the data again."""


class SignatureMismatch(OpenDataError):
    """rawData and its signature do not belong together under this session_key."""


class ForeignWatermark(OpenDataError):
    """The data was made for another app, or does not say for which."""


class OpenDataTooOld(OpenDataError):
    """The data was made too long ago, or, by its own clock, in the future."""


class PushError(WeChatError):
    """A message pushed to us did not come from WeChat, or cannot be read."""


class PushSignatureMismatch(PushError):
    """The signature does not match the app's push token. The push is not trusted."""


class StalePush(PushError):
    """The signature is right, but it was made too long ago or, by its own clock, in the future."""


class MalformedPush(PushError):
    """The body is neither JSON nor XML."""


class UndecryptablePush(PushError):
    """The signature of a push is right, but the EncodingAESKey does not decrypt it."""


class IncompletePush(PushError):
    """A field that every push has is missing, or a field holds what it cannot hold."""


class UnencryptedPush(PushError):
    """The app has an EncodingAESKey, and this came without Encrypt, so its sender is unproven."""


class PushKeyMissing(PushError):
    """The push is encrypted, and the app has no EncodingAESKey here: the operator must act."""


class ForeignPush(PushError):
    """The message was sealed for another app."""
