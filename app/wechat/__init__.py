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
    ForeignPush,
    ForeignWatermark,
    MalformedOpenData,
    MalformedPush,
    OpenDataError,
    OpenDataTooOld,
    PersonBlocked,
    PushError,
    PushKeyMissing,
    PushSignatureMismatch,
    RateLimited,
    SecretRejected,
    SessionKeyStale,
    SignatureMismatch,
    StalePush,
    UnencryptedPush,
    WeChatError,
    WeChatUnavailable,
)
from app.wechat.open_data import decrypt_phone, decrypt_user_info, raw_user_info, verify_signature
from app.wechat.push import (
    PushMessage,
    decrypt_message,
    encrypt_message,
    encrypted_reply,
    message_signature,
    plain_signature,
    verify_message_signature,
    verify_plain_signature,
)
from app.wechat.push_delivery import PushQuery, PushSecrets, open_push, verify_url
from app.wechat.push_events import Push, read_push
from app.wechat.records import AccessToken, PhoneInfo, UserInfo, WeChatIdentity

__all__ = [
    "AccessToken",
    "AccessTokenRejected",
    "AppMisconfigured",
    "CodeAlreadyUsed",
    "CodeRejected",
    "ForeignPush",
    "ForeignWatermark",
    "MalformedOpenData",
    "MalformedPush",
    "OpenDataError",
    "OpenDataTooOld",
    "PersonBlocked",
    "PhoneInfo",
    "Push",
    "PushError",
    "PushKeyMissing",
    "PushMessage",
    "PushQuery",
    "PushSecrets",
    "PushSignatureMismatch",
    "RateLimited",
    "SecretRejected",
    "SessionKeyStale",
    "SignatureMismatch",
    "StalePush",
    "UnencryptedPush",
    "UserInfo",
    "WeChatClient",
    "WeChatError",
    "WeChatIdentity",
    "WeChatUnavailable",
    "decrypt_message",
    "decrypt_phone",
    "decrypt_user_info",
    "encrypt_message",
    "encrypted_reply",
    "message_signature",
    "open_push",
    "plain_signature",
    "raw_user_info",
    "read_push",
    "verify_message_signature",
    "verify_plain_signature",
    "verify_signature",
    "verify_url",
]
