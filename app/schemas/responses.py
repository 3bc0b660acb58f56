"""Response schemas of the native API. Only the fields declared here are sent."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields

from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about


class Response(Schema):
    """Base response schema. Only fields in `optional` may be absent. New fields may be added."""

    optional: frozenset[str] = frozenset()

    class Meta:
        unknown = INCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Mark every field that is not in `optional` as required in OpenAPI."""
        field_obj.required = field_name not in self.optional


class UserResponse(Response):
    """The logged-in user.

    In login responses and `/v1/me`. `PROFILE_COLUMNS` has the columns.
    """

    id = fields.UUID(metadata=shown.USER_ID)
    account = fields.String(allow_none=True, metadata=shown.ACCOUNT)
    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    avatar_url = fields.String(allow_none=True, metadata=shown.AVATAR_URL)
    gender = fields.Integer(metadata=shown.GENDER)
    level = fields.Integer(metadata=shown.LEVEL)
    phone = fields.String(
        allow_none=True,
        metadata=about(
            "Verified phone number in E.164 format. Null if the user has none.", examples.PHONE
        ),
    )


class ClosingResponse(Response):
    """The state of a closed account, or of the erased data of an unbound login."""

    erase_after = fields.AwareDateTime(
        metadata=about(
            "A login before this time keeps the account. The data of an unbound login is"
            " erased immediately, and this is the time of the request.",
            examples.LATER,
        )
    )
    erased = fields.Boolean(metadata=about("True if the personal data is already erased.", False))


class TokensResponse(Response):
    """The new login token and refresh token."""

    token = fields.String(
        metadata=about("New login token. The old one stops working.", examples.LOGIN_TOKEN)
    )
    refresh_token = fields.String(
        allow_none=True,
        metadata=about(
            "New refresh token. Store it instead of the old one.", examples.REFRESH_TOKEN
        ),
    )
    expires_in = fields.Integer(metadata=shown.EXPIRES_IN)


class LoginResponse(Response):
    """A login. `user` and `refresh_token` are null while the login is unbound."""

    token = fields.String(
        attribute="tokens.token",
        metadata=about(
            "Login token. Send it as `Authorization: Bearer <token>`. Each use extends its"
            " lifetime while the login is bound.",
            examples.LOGIN_TOKEN,
        ),
    )
    refresh_token = fields.String(
        attribute="tokens.refresh_token",
        allow_none=True,
        metadata=about(
            "Single-use token for `refresh`, valid for 30 days. Null while the login is unbound.",
            examples.REFRESH_TOKEN,
        ),
    )
    expires_in = fields.Integer(
        attribute="tokens.expires_in",
        metadata=shown.EXPIRES_IN,
    )
    bound = fields.Function(
        lambda login: login.user is not None,
        metadata=about(
            "True if the login belongs to a user. If false, verify a phone number or bind an"
            " account next.",
            True,
        )
        | {"type": "boolean"},
    )
    user = fields.Nested(
        UserResponse,
        allow_none=True,
        metadata=about("The user of the login. Null while the login is unbound."),
    )
    openid = fields.String(
        allow_none=True,
        metadata=about(
            "openid of the person in this mini-program. Null after a login with account and"
            " password.",
            examples.OPENID,
        ),
    )
    unionid = fields.String(
        allow_none=True,
        metadata=about(
            "unionid of the person. Null after a login with account and password, or if the"
            " mini-program is not linked to a WeChat open platform.",
            examples.UNIONID,
        ),
    )


class SessionResponse(Response):
    """A login session of the user, as shown to that user."""

    id = fields.UUID(metadata=shown.SESSION_ID)
    device = fields.String(allow_none=True, metadata=shown.DEVICE)
    appid = fields.String(metadata=shown.APPID)
    app_name = fields.String(metadata=shown.APP_NAME)
    address = fields.String(allow_none=True, metadata=shown.ADDRESS)
    first_seen_at = fields.AwareDateTime(metadata=shown.LOGGED_IN_AT)
    last_seen_at = fields.AwareDateTime(metadata=shown.SEEN_AT)
    current = fields.Boolean(
        metadata=about("True for the session of the token that sent this request.", True)
    )


class ProfileResponse(Response):
    """The stored nickname and avatar."""

    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    avatar_url = fields.String(allow_none=True, metadata=shown.AVATAR_URL)


class LivenessResponse(Response):
    """The state of the process and the version of wxpass that it runs."""

    status = fields.String(metadata=about("Always `ok`.", "ok"))
    version = fields.String(metadata=about("Version of wxpass.", "0.1.0"))


class StatusResponse(Response):
    """The state of the service."""

    status = fields.String(metadata=about("Always `ready`.", "ready"))


class ProblemResponse(Response):
    """Problem details (RFC 9457). `code` is stable, `detail` is a message for people."""

    optional = frozenset({"errors"})

    type = fields.String(
        metadata=about("URN of the error code.", "urn:wxpass:problem:session_expired")
    )
    title = fields.String(metadata=about("The error code in words.", "session expired"))
    status = fields.Integer(metadata=about("HTTP status of the response.", 401))
    code = fields.String(
        metadata=about(
            "Stable error code. Compare this field. New codes may be added.", "session_expired"
        )
    )
    detail = fields.String(
        metadata=about(
            "Message for people, in Chinese or English, by `Accept-Language`.",
            "The login has expired. Refresh it, or call wx.login and log in again.",
        )
    )
    request_id = fields.String(
        metadata=about(
            "Id of the request in the log. Report it with a problem.",
            "4f1d2c3b5a69788796a5b4c3d2e1f001",
        )
    )
    errors = fields.Dict(
        metadata=about(
            "Messages by field name, if fields are invalid.",
            {"code": ["Missing data for required field."]},
        )
    )
