"""Texts about the whole API: introduction, server, security schemes and errors."""

from typing import Any

from app.api.blueprint import LOGIN_TOKEN
from app.auth import BARE_TOKEN_HEADERS

LICENCE = "Apache-2.0"

INFO = """\
wxpass logs people in to WeChat mini-programs. It exchanges `wx.login` codes for identities, links \
them to your users by phone, account or unionid, and issues login tokens that your back end can \
verify. One deployment serves many tenants and many mini-programs.

**A login.** Call `wx.login` in the mini-program and send the code to \
`POST /v1/apps/{appid}/login`. If `bound` is true, the login belongs to a user. If it is false, \
call `POST /v1/apps/{appid}/phone` or `POST /v1/apps/{appid}/bind`, and use the new token.

**Tokens.** Mini-programs send the login token as `Authorization: Bearer wxp_...`. The admin API \
below `/v1/admin/` needs the JWT of an operator instead.

**Errors.** Every failure is a problem document (RFC 9457). Compare its `code`, which is stable. \
`detail` is a message for people, in the language of `Accept-Language`. New codes and new response \
fields may be added at any time.

**Requests.** Bodies are JSON in UTF-8, up to 64 KB, except the CSV or XLSX file of an import, up \
to 5 MB. Unknown body fields are rejected. Times are in UTC (RFC 3339), ids are UUIDs, phone \
numbers are in E.164 format. The response header `X-Request-Id` identifies a request in the log."""

SERVER = "This deployment, including the path prefix of the proxy in front of it, if there is one."

ANY_ERROR = "Errors that every operation may return."
ERRORS = {
    400: "The request is malformed.",
    401: "The login or the credentials are missing, wrong or no longer valid.",
    403: "The request is not allowed.",
    404: "The object does not exist, or you may not see it.",
    409: "The request does not fit the present state.",
    413: "The body is too large.",
    415: "The body has another content type.",
    422: "A value is invalid.",
    429: "Too many requests. Wait as long as `Retry-After` says.",
    502: "WeChat does not accept the settings of the mini-program.",
    503: "Not available right now. `Retry-After` says when to try again, if it is present.",
}

# Of 400 responses to operations with a code of WeChat.
CODE_ERRORS = "The request is malformed, or WeChat does not accept the code."

RETRY_AFTER = "Seconds to wait before the next attempt. Absent if a retry would not help."

LOGIN_DESCRIPTION = (
    "The login token of a mini-program, `wxp_...`. This is the usual scheme for everything outside"
    " `/v1/admin/`. To get a token, send the code of `wx.login` to `POST /v1/apps/{appid}/login`"
    " and copy `token` from the response. Enter it here without `Bearer`."
)
BARE_DESCRIPTION = (
    "The same login token in another header, without `Bearer`. Only for existing clients that"
    " cannot send `Authorization`. New clients use `loginToken`."
)
OPERATOR_DESCRIPTION = (
    "The JWT of an operator, for everything below `/v1/admin/`. To get one, send e-mail address"
    " and password to `POST /v1/admin/sign-in` and copy `access_token` from the response. It is"
    " valid for 15 minutes, then use `POST /v1/admin/refresh`. Enter it here without `Bearer`."
)

LOGIN_SCHEMES: dict[str, dict[str, Any]] = {
    LOGIN_TOKEN: {"type": "http", "scheme": "bearer", "description": LOGIN_DESCRIPTION},
    **{
        name: {"type": "apiKey", "in": "header", "name": name, "description": BARE_DESCRIPTION}
        for name in BARE_TOKEN_HEADERS
    },
}
OPERATOR_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": OPERATOR_DESCRIPTION,
}
