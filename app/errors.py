"""Every failure there is, once: its stable code, its HTTP status, and what a person is told.

A failure's `cause` is for the log only, and `about` names a thing to operators; `en` is for people
and says what to do next. It is the msgid of its Chinese text in
translations/zh/LC_MESSAGES/messages.po.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from app import wechat

FAILURES: dict[str, type["Failure"]] = {}


class Failure(Exception):
    """Something the caller is told. Each subclass is one fact."""

    code: ClassVar[str]
    status: ClassVar[int]
    en: ClassVar[str]

    def __init__(
        self,
        cause: str = "",
        *,
        errors: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
        about: str = "",
    ) -> None:
        super().__init__(cause or self.code)
        self.cause = cause or about
        self.about = about
        self.errors = errors
        self.retry_after = retry_after

    def __init_subclass__(cls, *, code: str, status: int, en: str) -> None:
        cls.code, cls.status, cls.en = code, status, en
        FAILURES[code] = cls


# fmt: off
# The request itself
class Internal(Failure, code="internal", status=500,
    en="Something went wrong on our side. Try again; if it stays, report the request id."): ...
class NotFound(Failure, code="not_found", status=404,
    en="There is nothing at this address. See /openapi.json for what there is."): ...
class MethodNotAllowed(Failure, code="method_not_allowed", status=405,
    en="This address does not take that HTTP method; the Allow header says which it takes."): ...
class BadRequest(Failure, code="bad_request", status=400,
    en="The request could not be understood. Check how it is put together."): ...
class JsonMalformed(Failure, code="json_malformed", status=400,
    en="The body is not valid JSON. Send a JSON object in UTF-8."): ...
class JsonRequired(Failure, code="json_required", status=415,
    en="Send the body as JSON, with Content-Type: application/json."): ...
class BodyTooLarge(Failure, code="body_too_large", status=413,
    en="The request is larger than this service takes. Send less."): ...
class RequestInvalid(Failure, code="request_invalid", status=422,
    en="Something that was sent is missing, unknown or wrong. Check it and send it again."): ...

class DatabaseUnavailable(Failure, code="database_unavailable", status=503,
    en="The database does not answer right now. Try again shortly."): ...
class MigrationsMissing(Failure, code="migrations_missing", status=503,
    en="The tables are not those this version needs. Bring them: `make migrate`."): ...

# The keys of the environment
class EncryptionKeyMissing(Failure, code="encryption_key_missing", status=503,
    en="The database holds what this key encrypted, and WXPASS_KEYS lacks it. Put it back, after "
    "the first; if it is lost for good, see `flask keys forget --help`."): ...
class EncryptionKeyWrong(Failure, code="encryption_key_wrong", status=503,
    en="WXPASS_KEYS has another key under this id than the one that encrypted. Put that one back; "
    "a new key needs an id of its own."): ...
class PepperWrong(Failure, code="pepper_wrong", status=503,
    en="This is not the pepper that phone numbers are found by. Put the one before back."): ...

# Which app, which tenant
class AppUnknown(Failure, code="app_unknown", status=404,
    en="No mini-program with this appid is configured here. Check the appid."): ...
class AppUnclear(Failure, code="app_unclear", status=400,
    en="Which mini-program is this request for? Put its appid into the path, /apps/<appid>/."
): ...
class AppDisabled(Failure, code="app_disabled", status=403,
    en="This mini-program is switched off. Ask its administrator."): ...
class TenantDisabled(Failure, code="tenant_disabled", status=403,
    en="The organisation behind this mini-program is switched off. Ask its administrator."): ...

# The login token
class TokenMissing(Failure, code="token_missing", status=401,
    en="Please log in first."): ...
class TokenInvalid(Failure, code="token_invalid", status=401,
    en="This login token is not, or no longer, valid. Call wx.login and log in again."): ...
class TokensDiffer(Failure, code="tokens_differ", status=401,
    en="Two different login tokens were sent. Log in again and send the one you get."): ...
class SessionExpired(Failure, code="session_expired", status=401,
    en="The login has expired. Refresh it, or call wx.login and log in again."): ...
class SessionEnded(Failure, code="session_ended", status=401,
    en="This login has been ended. Call wx.login and log in again."): ...
class SessionReplaced(Failure, code="session_replaced", status=401,
    en="This login token was replaced by a newer one. Use that, or call wx.login and log in again."
): ...
class SessionRevoked(Failure, code="session_revoked", status=401,
    en="This login was ended from elsewhere. Call wx.login and log in again."): ...
class SessionUnknown(Failure, code="session_unknown", status=404,
    en="You have no such login. List your logins for those there are."): ...
class TokenOfAnotherApp(Failure, code="token_of_another_app", status=403,
    en="This login belongs to another mini-program. Log in to this one."): ...
class LoginUnbound(Failure, code="login_unbound", status=403,
    en="No user is bound to this login yet. Verify a phone number or bind an account first."): ...
class RefreshTokenInvalid(Failure, code="refresh_token_invalid", status=401,
    en="This refresh token is not, or no longer, valid. Call wx.login and log in again."): ...
class RefreshTokenExpired(Failure, code="refresh_token_expired", status=401,
    en="This refresh token has expired. Call wx.login and log in again."): ...
class RefreshTokenReused(Failure, code="refresh_token_reused", status=401,
    en="This refresh token was used before, so the login was ended. Call wx.login to log in again."
): ...
class NoUser(Failure, code="no_user", status=401,
    en="This login is not bound to a user yet. Verify a phone number or bind an account first."
): ...
class SwitchedOff(Failure, code="switched_off", status=401,
    en="The user, mini-program or organisation of this login is disabled. Ask the administrator."
): ...
class JwtInvalid(Failure, code="jwt_invalid", status=401,
    en="This signed token is not valid here. Get a new one with a login token."): ...
class JwtExpired(Failure, code="jwt_expired", status=401,
    en="This signed token has expired. Get a new one with a login token."): ...

# What WeChat says
class CodeInvalid(Failure, code="code_invalid", status=400,
    en="WeChat does not accept this code: it is wrong, expired or another app's. Get a new one."
): ...
class CodeUsed(Failure, code="code_used", status=400,
    en="This code was used before. Call wx.login for a new one."): ...
class PersonBlocked(Failure, code="wechat_person_blocked", status=403,
    en="WeChat has blocked this person as high risk, so they cannot log in for now."): ...
class WeChatRateLimited(Failure, code="wechat_rate_limited", status=429,
    en="WeChat is limiting how often we may ask. Wait a minute and try again with a new code."
): ...
class WeChatMisconfigured(Failure, code="wechat_app_misconfigured", status=502,
    en="WeChat refuses this mini-program's credentials or permissions. Its administrator must act."
): ...
class WeChatUnavailable(Failure, code="wechat_unavailable", status=503,
    en="WeChat does not answer properly right now. Try again shortly with a new code."): ...

# Open data
class OpenDataMalformed(Failure, code="open_data_malformed", status=422,
    en="encryptedData, iv or rawData is not what WeChat gave. Send them unchanged."): ...
class SessionKeyExpired(Failure, code="session_key_expired", status=409,
    en="The data was encrypted with another session_key. Call wx.login, log in and tap again."
): ...
class SignatureWrong(Failure, code="signature_wrong", status=422,
    en="The signature does not match rawData. Call wx.login, log in and tap again."): ...
class WatermarkForeign(Failure, code="watermark_foreign", status=422,
    en="This data was made for another mini-program. Send this one's."): ...
class OpenDataOfAnother(Failure, code="open_data_of_another", status=422,
    en="This data belongs to another person. Send the logged-in person's."): ...
class OpenDataTooOld(Failure, code="open_data_too_old", status=422,
    en="This data is too old, or from the future. Tap the button again."): ...
class PhoneInvalid(Failure, code="phone_invalid", status=422,
    en="This is not a phone number that can exist. Check it, with its country code."): ...

# What WeChat pushes
class PushNotConfigured(Failure, code="push_not_configured", status=403,
    en="The Token, or the EncodingAESKey, of this mini-program's message push is not entered here."
): ...
class PushSignatureWrong(Failure, code="push_signature_wrong", status=403,
    en="This was not signed with the Token that is entered here. Compare it with WeChat's console."
): ...
class PushStale(Failure, code="push_stale", status=403,
    en="This was signed too long ago, or in the future. Check this server's clock."): ...
class PushUnencrypted(Failure, code="push_unencrypted", status=403,
    en="This mini-program has an EncodingAESKey here, so a push must be encrypted."): ...
class PushOfAnotherApp(Failure, code="push_of_another_app", status=403,
    en="This push was made for another mini-program. Check the URL in WeChat's console."): ...
class PushReplayed(Failure, code="push_replayed", status=403,
    en="This delivery has been received with another content."): ...
class PushMalformed(Failure, code="push_malformed", status=422,
    en="This push cannot be read. Compare the EncodingAESKey with WeChat's console."): ...

# Who becomes whom
class CredentialsWrong(Failure, code="credentials_wrong", status=401,
    en="Account or password is wrong."): ...
class UserDisabled(Failure, code="user_disabled", status=403,
    en="This user is switched off. Ask the administrator."): ...
class RegistrationClosed(Failure, code="registration_closed", status=403,
    en="Only people known to the organisation can log in here. Ask its administrator to add you."
): ...
class PhoneTaken(Failure, code="phone_taken", status=409,
    en="This phone number belongs to another user. Unbind there first, or use another number."
): ...
class SocialAccountTaken(Failure, code="social_account_taken", status=409,
    en="This WeChat identity is bound to another user. Unbind it there first."): ...
class LoginTooOld(Failure, code="login_too_old", status=403,
    en="To bind this WeChat identity to an account, call wx.login and log in again first."): ...
class NoSocialAccount(Failure, code="no_social_account", status=409,
    en="This login has no WeChat identity. Log in with a code from wx.login first."): ...
class TooManyTries(Failure, code="too_many_tries", status=429,
    en="Too many wrong passwords. Wait as long as Retry-After says and try again."): ...
class NoPassword(Failure, code="no_password", status=409,
    en="This user has no password to change. Ask the administrator to set one."): ...
class PhoneOwnerHasIdentity(Failure, code="phone_owner_has_identity", status=409,
    en="The user with this phone number has another WeChat identity here. Ask the administrator."
): ...

# Files of people
class PeopleFileTooLarge(Failure, code="people_file_too_large", status=413,
    en="A file may have 5 MB and 20,000 people, and unpack to 32 MB. Split it, or save it as CSV."
): ...
class PeopleFileUnreadable(Failure, code="people_file_unreadable", status=422,
    en="This is no CSV or XLSX file that can be read. In Excel, save it as .xlsx without a "
    "password, or as CSV UTF-8, and send that."): ...
class PeopleColumnsWrong(Failure, code="people_columns_wrong", status=422,
    en="The first row must name each column once: account, phone, nickname, password; account or "
    "phone must be among them."): ...
class PeopleFileEmpty(Failure, code="people_file_empty", status=422,
    en="There is nobody below the first row. Enter one person a row."): ...
class PeoplePasswordsTooMany(Failure, code="people_passwords_too_many", status=422,
    en="A file may have 1,000 passwords: each takes time to hash. Leave them out and let people "
    "log in by phone, or split the file."): ...
class PeopleRefused(Failure, code="people_refused", status=409,
    en="Some rows cannot be imported, so none was. Mend the rows that are named."): ...
class ImportUnknown(Failure, code="import_unknown", status=404,
    en="You have no such import, or its preview is more than an hour old. Upload the file again."
): ...
class ImportConfirmed(Failure, code="import_confirmed", status=409,
    en="This import was confirmed before and does not run twice. Its progress says how it went."
): ...
class ImportInterrupted(Failure, code="import_interrupted", status=503,
    en="The import was interrupted, and nobody was imported. Upload the file again."): ...

# What operators are told
class TenantUnknown(Failure, code="tenant_unknown", status=404,
    en="There is no tenant with this slug. `tenants list` shows all."): ...
class TenantExists(Failure, code="tenant_exists", status=409,
    en="A tenant with this slug exists already. Choose another slug."): ...
class AppExists(Failure, code="app_exists", status=409,
    en="This appid is configured already. `apps list` shows where."): ...
class AccountExists(Failure, code="account_exists", status=409,
    en="This account name is taken in the tenant. Choose another."): ...
class UserUnknown(Failure, code="user_unknown", status=404,
    en="There is no such user in the tenant. `users list` shows all."): ...
class NotMerged(Failure, code="not_merged", status=409,
    en="This user is not merged into another, or the merge has been undone already."): ...
class MergeTooOld(Failure, code="merge_too_old", status=409,
    en="This merge can no longer be undone: it is older than 30 days, or was not recorded."): ...
class MergedIdentitiesGone(Failure, code="merged_identities_gone", status=409,
    en="What this merge moved has been unbound or bound to somebody else since; nothing was done."
): ...
class EncryptionKeyUnknown(Failure, code="encryption_key_unknown", status=404,
    en="The database knows no such key. `keys check` shows those it needs."): ...
class EncryptionKeyPresent(Failure, code="encryption_key_present", status=409,
    en="This key is in WXPASS_KEYS, so it is not lost. `keys rotate` makes it needless."): ...
class KeyRotationPending(Failure, code="key_rotation_pending", status=409,
    en="The newest signing key does not sign yet. Rotate again in a few minutes."): ...
# fmt: on


FROM_WECHAT: dict[type[wechat.WeChatError], type[Failure]] = {
    wechat.CodeAlreadyUsed: CodeUsed,
    wechat.CodeRejected: CodeInvalid,
    wechat.PersonBlocked: PersonBlocked,
    wechat.RateLimited: WeChatRateLimited,
    wechat.AccessTokenRejected: WeChatUnavailable,
    wechat.AppMisconfigured: WeChatMisconfigured,
    wechat.WeChatUnavailable: WeChatUnavailable,
    wechat.MalformedOpenData: OpenDataMalformed,
    wechat.SessionKeyStale: SessionKeyExpired,
    wechat.SignatureMismatch: SignatureWrong,
    wechat.ForeignWatermark: WatermarkForeign,
    wechat.OpenDataTooOld: OpenDataTooOld,
    wechat.PushKeyMissing: PushNotConfigured,
    wechat.PushSignatureMismatch: PushSignatureWrong,
    wechat.StalePush: PushStale,
    wechat.UnencryptedPush: PushUnencrypted,
    wechat.ForeignPush: PushOfAnotherApp,
    wechat.MalformedPush: PushMalformed,
}


def as_failure(error: wechat.WeChatError) -> Failure:
    """Say in our terms what the WeChat door raised."""
    for kind in type(error).__mro__:
        if kind in FROM_WECHAT:
            return FROM_WECHAT[kind](f"{type(error).__name__}: {error}")
    return Internal(type(error).__name__)
