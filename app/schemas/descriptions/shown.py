"""Descriptions and examples of fields that several schemas share. Pass them as `metadata`."""

from app.schemas.descriptions import examples
from app.schemas.descriptions.about import about

USER_ID = about("Id of the user.", examples.USER_ID)
APPID = about("Appid of the mini-program.", examples.APPID)
APP_NAME = about("Name of the mini-program.", examples.APP_NAME)
ACCOUNT = about("Login name of the user. Null if the user has none.", examples.ACCOUNT)
NICKNAME = about("Nickname. Null if none is stored.", examples.NICKNAME)
AVATAR_URL = about("https URL of the avatar. Null if none is stored.", examples.AVATAR_URL)
GENDER = about("Gender: 0 is unknown, 1 male, 2 female.", 0)
LEVEL = about("Level of the user, for use by your back end. 0 if it was never set.", 0)
OPENID = about("openid of the person in this mini-program.", examples.OPENID)
UNIONID = about(
    "unionid of the person. Null if the mini-program is not linked to a WeChat open platform.",
    examples.UNIONID,
)
DEVICE = about("Device, derived from the `User-Agent` header. Null if unknown.", examples.DEVICE)
ADDRESS = about("IP address. Null if unknown.", examples.ADDRESS)
CREATED_AT = about("Time of creation.", examples.EARLIER)
SEEN_AT = about("Time of the last request, to the minute.", examples.NOW)
ENDED_AT = about("Time at which the session was ended. Null if it was not ended.", None)
END_REASON = about(
    "Why the session was ended, for example `logged_out` or `password_changed`. Null if it was not"
    " ended.",
    None,
)
MERGED_INTO = about(
    "Id of the user that this user was merged into. Null if it was not merged.", None
)
EXPIRES_IN = about("Lifetime of the login token in seconds.", 7200)
ADVICE = about(
    "What to do, in Chinese or English, by `Accept-Language`.",
    "Copy the AppSecret from WeChat's console again.",
)
USER_STATUS = about(
    "`active`, `disabled`, or `merged` if the user was merged into another.", "active"
)
ROLE = about(
    "`platform` for a platform admin, `tenant_admin` for a tenant admin, or `tenant_reader` for a"
    " tenant viewer.",
    "tenant_admin",
)
OPERATOR_TENANT = about("Slug of the operator's tenant. Null for a platform admin.", examples.SLUG)
EMAIL = about("E-mail address of the operator.", examples.EMAIL)
VISITOR_DAYS = about(
    "Days after the last login until a WeChat identity that belongs to no user is erased.", 180
)
NEW_PASSWORD = about(
    "New password, at least 8 characters and not easy to guess.", examples.NEW_PASSWORD
)
SESSION_ID = about("Id of the session.", examples.SESSION_ID)
LOGGED_IN_AT = about("Time of the login.", examples.EARLIER)
IDENTITY_ID = about("Id of the WeChat identity.", examples.IDENTITY_ID)
BOUND_USER_ID = about("Id of the bound user. Null while unbound.", examples.USER_ID)
LAST_LOGIN_AT = about("Time of the last `wx.login` in the mini-program.", examples.EARLIER)
MERGED_USER_ID = about("Id of the user that was merged.", examples.OTHER_USER_ID)
REMAINING_USER_ID = about("Id of the user that remains.", examples.USER_ID)
MOVED_IDENTITIES = about("Number of moved WeChat identities.", 1)
MERGED_AT = about("Time of the merge.", examples.EARLIER)
SESSION_IDENTITY_ID = about(
    "Id of the WeChat identity. Null for a login with account and password.", examples.IDENTITY_ID
)
EVENT_ID = about("Id of the event.", examples.RECORD_ID)
SUBJECT = about("Id of the changed object.", examples.USER_ID)
EVENT_AT = about("Time of the event.", examples.EARLIER)
HAS_PASSWORD = about("True if the user has a password.", True)
REGISTRATION = about(
    "When a person becomes a user: `on_login` at the first login, `on_phone` with a"
    " verified phone number, `closed` never, so that only added users can log in.",
    "on_phone",
)
DATA_FORMAT = about("Format of WeChat's message push, as set in WeChat's console.", "json")
APP_ENABLED = about("False rejects every request of the mini-program with `app_disabled`.", True)
TENANT_NAME = about("Display name of the tenant, up to 64 characters.", examples.TENANT_NAME)
STATUS = about("`active` or `disabled`.", "active")
PHONE_OWNER = about(
    "What happens if a verified phone number belongs to a user who has another WeChat"
    " identity: `bind` adds the new identity, `refuse` rejects it.",
    "bind",
)
OPERATOR_ID = about("Id of the operator.", examples.OPERATOR_ID)
OPERATOR_PASSWORD = about("Password of the operator.", examples.PASSWORD)
OPERATOR_CODE = about(
    "Code of the authenticator app, or an unused recovery code. Required if one-time"
    " codes are enabled.",
    examples.ONE_TIME_CODE,
)
NEW_OPERATOR_PASSWORD = about(
    "Password, at least 12 characters and not easy to guess.", examples.NEW_PASSWORD
)
DISPLAY_NAME = about("Display name, up to 64 characters.", examples.APP_NAME)
