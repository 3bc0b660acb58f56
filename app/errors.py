"""Every failure there is, once: its stable code, its HTTP status, and what a person is told.

A failure's `cause` is for the log only; `en` and `zh` are for people and say what to do next.
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
    zh: ClassVar[str]

    def __init__(self, cause: str = "", *, errors: Mapping[str, Any] | None = None) -> None:
        super().__init__(cause or self.code)
        self.cause = cause
        self.errors = errors

    def __init_subclass__(cls, *, code: str, status: int, en: str, zh: str) -> None:
        cls.code, cls.status, cls.en, cls.zh = code, status, en, zh
        FAILURES[code] = cls


# fmt: off
# The request itself
class Internal(Failure, code="internal", status=500,
    en="Something went wrong on our side. Try again; if it stays, report the request id.",
    zh="服务出错了，请重试；若仍失败，请把请求编号告诉我们。"): ...
class NotFound(Failure, code="not_found", status=404,
    en="There is nothing at this address. See /openapi.json for what there is.",
    zh="没有这个地址，可用的接口见 /openapi.json。"): ...
class MethodNotAllowed(Failure, code="method_not_allowed", status=405,
    en="This address does not take that HTTP method; the Allow header says which it takes.",
    zh="该地址不支持此请求方法，支持的方法见 Allow 响应头。"): ...
class BadRequest(Failure, code="bad_request", status=400,
    en="The request could not be understood. Check how it is put together.",
    zh="无法理解该请求，请检查请求格式。"): ...
class JsonMalformed(Failure, code="json_malformed", status=400,
    en="The body is not valid JSON. Send a JSON object in UTF-8.",
    zh="请求体不是有效的 JSON，请以 UTF-8 发送 JSON 对象。"): ...
class JsonRequired(Failure, code="json_required", status=415,
    en="Send the body as JSON, with Content-Type: application/json.",
    zh="请以 JSON 发送请求体，并设置 Content-Type: application/json。"): ...
class BodyTooLarge(Failure, code="body_too_large", status=413,
    en="The request is larger than this service takes. Send less.",
    zh="请求内容过大，请减小后再发送。"): ...
class RequestInvalid(Failure, code="request_invalid", status=422,
    en="Something that was sent is missing, unknown or wrong. Check it and send it again.",
    zh="提交的内容缺失、多余或有误，请检查后重新提交。"): ...

class DatabaseUnavailable(Failure, code="database_unavailable", status=503,
    en="The database does not answer right now. Try again shortly.",
    zh="数据库暂时没有响应，请稍后重试。"): ...
class MigrationsMissing(Failure, code="migrations_missing", status=503,
    en="The tables are not those this version needs. Bring them: `make migrate`.",
    zh="数据库表结构与当前版本不符，请运行 make migrate（即 flask db upgrade）。"): ...

# Which app, which tenant
class AppUnknown(Failure, code="app_unknown", status=404,
    en="No mini-program with this appid is configured here. Check the appid.",
    zh="没有配置该 appid 的小程序，请检查 appid。"): ...
class AppDisabled(Failure, code="app_disabled", status=403,
    en="This mini-program is switched off. Ask its administrator.",
    zh="该小程序已停用，请联系管理员。"): ...
class TenantDisabled(Failure, code="tenant_disabled", status=403,
    en="The organisation behind this mini-program is switched off. Ask its administrator.",
    zh="该小程序所属的机构已停用，请联系管理员。"): ...

# The login token
class TokenMissing(Failure, code="token_missing", status=401,
    en="Please log in first.",
    zh="请先登录。"): ...
class TokenInvalid(Failure, code="token_invalid", status=401,
    en="This login token is not, or no longer, valid. Call wx.login and log in again.",
    zh="登录凭证无效，请调用 wx.login 重新登录。"): ...
class SessionExpired(Failure, code="session_expired", status=401,
    en="The login has expired. Refresh it, or call wx.login and log in again.",
    zh="登录已过期，请刷新登录或调用 wx.login 重新登录。"): ...
class SessionEnded(Failure, code="session_ended", status=401,
    en="This login has been ended. Call wx.login and log in again.",
    zh="登录已退出，请调用 wx.login 重新登录。"): ...
class SessionReplaced(Failure, code="session_replaced", status=401,
    en="This login token was replaced by a newer one. Use that, or call wx.login and log in again.",
    zh="该登录凭证已被新的替换，请使用新凭证，或调用 wx.login 重新登录。"): ...
class SessionRevoked(Failure, code="session_revoked", status=401,
    en="This login was ended from elsewhere. Call wx.login and log in again.",
    zh="登录已在别处被终止，请调用 wx.login 重新登录。"): ...
class SessionUnknown(Failure, code="session_unknown", status=404,
    en="You have no such login. List your logins for those there are.",
    zh="没有这个登录，请先查看登录列表。"): ...
class TokenOfAnotherApp(Failure, code="token_of_another_app", status=403,
    en="This login belongs to another mini-program. Log in to this one.",
    zh="该登录属于其他小程序，请登录当前小程序。"): ...
class LoginUnbound(Failure, code="login_unbound", status=403,
    en="No user is bound to this login yet. Verify a phone number or bind an account first.",
    zh="该登录尚未绑定用户，请先验证手机号或绑定账号。"): ...
class RefreshTokenInvalid(Failure, code="refresh_token_invalid", status=401,
    en="This refresh token is not, or no longer, valid. Call wx.login and log in again.",
    zh="刷新凭证无效，请调用 wx.login 重新登录。"): ...
class RefreshTokenExpired(Failure, code="refresh_token_expired", status=401,
    en="This refresh token has expired. Call wx.login and log in again.",
    zh="刷新凭证已过期，请调用 wx.login 重新登录。"): ...
class RefreshTokenReused(Failure, code="refresh_token_reused", status=401,
    en="This refresh token was used before, so the login was ended. Call wx.login to log in again.",
    zh="该刷新凭证已被使用过，为安全起见登录已结束，请调用 wx.login 重新登录。"): ...

# What WeChat says
class CodeInvalid(Failure, code="code_invalid", status=400,
    en="WeChat does not accept this code: it is wrong, expired or another app's. Get a new one.",
    zh="微信不接受该 code：错误、过期或属于其他小程序，请重新获取。"): ...
class CodeUsed(Failure, code="code_used", status=400,
    en="This code was used before. Call wx.login for a new one.",
    zh="该 code 已被使用，请调用 wx.login 重新获取。"): ...
class PersonBlocked(Failure, code="wechat_person_blocked", status=403,
    en="WeChat has blocked this person as high risk, so they cannot log in for now.",
    zh="微信判定该用户存在较高风险，暂时无法登录。"): ...
class WeChatRateLimited(Failure, code="wechat_rate_limited", status=429,
    en="WeChat is limiting how often we may ask. Wait a minute and try again with a new code.",
    zh="微信接口调用过于频繁，请一分钟后重新获取 code 再试。"): ...
class WeChatMisconfigured(Failure, code="wechat_app_misconfigured", status=502,
    en="WeChat refuses this mini-program's credentials or permissions. Its administrator must act.",
    zh="微信拒绝了该小程序的凭据或权限，请联系管理员处理。"): ...
class WeChatUnavailable(Failure, code="wechat_unavailable", status=503,
    en="WeChat does not answer properly right now. Try again shortly with a new code.",
    zh="微信暂时没有正常响应，请稍后重新获取 code 再试。"): ...

# Open data
class OpenDataMalformed(Failure, code="open_data_malformed", status=422,
    en="encryptedData, iv or rawData is not what WeChat gave. Send them unchanged.",
    zh="encryptedData、iv 或 rawData 与微信返回的不一致，请原样发送。"): ...
class SessionKeyExpired(Failure, code="session_key_expired", status=409,
    en="The data was encrypted with another session_key. Call wx.login, log in and tap again.",
    zh="数据使用了其他 session_key 加密，请调用 wx.login 登录后重新点击。"): ...
class SignatureWrong(Failure, code="signature_wrong", status=422,
    en="The signature does not match rawData. Call wx.login, log in and tap again.",
    zh="签名与 rawData 不符，请调用 wx.login 登录后重新点击。"): ...
class WatermarkForeign(Failure, code="watermark_foreign", status=422,
    en="This data was made for another mini-program. Send this one's.",
    zh="该数据属于其他小程序，请使用当前小程序的数据。"): ...
class OpenDataOfAnother(Failure, code="open_data_of_another", status=422,
    en="This data belongs to another person. Send the logged-in person's.",
    zh="该数据属于其他用户，请使用当前登录用户的数据。"): ...
class OpenDataTooOld(Failure, code="open_data_too_old", status=422,
    en="This data is too old, or from the future. Tap the button again.",
    zh="数据已过期或时间有误，请重新点击按钮。"): ...
class PhoneInvalid(Failure, code="phone_invalid", status=422,
    en="This is not a phone number that can exist. Check it, with its country code.",
    zh="手机号无效，请检查号码和国家代码。"): ...

# Who becomes whom
class CredentialsWrong(Failure, code="credentials_wrong", status=401,
    en="Account or password is wrong.",
    zh="账号或密码错误。"): ...
class UserDisabled(Failure, code="user_disabled", status=403,
    en="This user is switched off. Ask the administrator.",
    zh="该用户已停用，请联系管理员。"): ...
class RegistrationClosed(Failure, code="registration_closed", status=403,
    en="Only people known to the organisation can log in here. Ask its administrator to add you.",
    zh="仅限已登记的用户登录，请联系管理员添加。"): ...
class PhoneTaken(Failure, code="phone_taken", status=409,
    en="This phone number belongs to another user. Unbind there first, or use another number.",
    zh="该手机号已属于其他用户，请先在原用户处解绑或更换号码。"): ...
class SocialAccountTaken(Failure, code="social_account_taken", status=409,
    en="This WeChat identity is bound to another user. Unbind it there first.",
    zh="该微信已绑定其他用户，请先解绑。"): ...
class NoSocialAccount(Failure, code="no_social_account", status=409,
    en="This login has no WeChat identity. Log in with a code from wx.login first.",
    zh="当前登录没有微信身份，请先用 wx.login 的 code 登录。"): ...

# What operators are told
class TenantUnknown(Failure, code="tenant_unknown", status=404,
    en="There is no tenant with this slug. `tenants list` shows all.",
    zh="没有这个租户，可用 tenants list 查看。"): ...
class TenantExists(Failure, code="tenant_exists", status=409,
    en="A tenant with this slug exists already. Choose another slug.",
    zh="该租户标识已存在，请换一个。"): ...
class AppExists(Failure, code="app_exists", status=409,
    en="This appid is configured already. `apps list` shows where.",
    zh="该 appid 已配置，可用 apps list 查看。"): ...
class AccountExists(Failure, code="account_exists", status=409,
    en="This account name is taken in the tenant. Choose another.",
    zh="该账号在租户内已存在，请换一个。"): ...
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
}


def as_failure(error: wechat.WeChatError) -> Failure:
    """Say in our terms what the WeChat door raised."""
    for kind in type(error).__mro__:
        if kind in FROM_WECHAT:
            return FROM_WECHAT[kind](f"{type(error).__name__}: {error}")
    return Internal(type(error).__name__)
