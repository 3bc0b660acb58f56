"""The door to WeChat: the only code that knows its URLs, errcodes, signatures and ciphers.

Frozen dataclasses or a WeChatError leave it. It imports nothing of ours and keeps no state but
open connections.
"""

from app.wechat.client import WeChatClient
from app.wechat.errors import (
    AccessTokenRejected,
    AppMisconfigured,
    CodeAlreadyUsed,
    CodeRejected,
    ForeignWatermark,
    MalformedOpenData,
    MalformedPush,
    OpenDataError,
    OpenDataTooOld,
    PersonBlocked,
    PushError,
    PushSignatureMismatch,
    RateLimited,
    SecretRejected,
    SessionKeyStale,
    SignatureMismatch,
    WeChatError,
    WeChatUnavailable,
)
from app.wechat.open_data import decrypt_phone, decrypt_user_info, raw_user_info, verify_signature
from app.wechat.push import (
    PushMessage,
    decrypt_message,
    encrypt_message,
    message_signature,
    plain_signature,
    verify_message_signature,
    verify_plain_signature,
)
from app.wechat.records import AccessToken, PhoneInfo, UserInfo, WeChatIdentity

__all__ = [
    "AccessToken",
    "AccessTokenRejected",
    "AppMisconfigured",
    "CodeAlreadyUsed",
    "CodeRejected",
    "ForeignWatermark",
    "MalformedOpenData",
    "MalformedPush",
    "OpenDataError",
    "OpenDataTooOld",
    "PersonBlocked",
    "PhoneInfo",
    "PushError",
    "PushMessage",
    "PushSignatureMismatch",
    "RateLimited",
    "SecretRejected",
    "SessionKeyStale",
    "SignatureMismatch",
    "UserInfo",
    "WeChatClient",
    "WeChatError",
    "WeChatIdentity",
    "WeChatUnavailable",
    "decrypt_message",
    "decrypt_phone",
    "decrypt_user_info",
    "encrypt_message",
    "message_signature",
    "plain_signature",
    "raw_user_info",
    "verify_message_signature",
    "verify_plain_signature",
    "verify_signature",
]
