"""Response schemas of the native API. Only the fields declared here are sent."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields


class Response(Schema):
    """Base response schema. Only fields in `optional` may be absent. New fields may be added."""

    optional: frozenset[str] = frozenset()

    class Meta:
        unknown = INCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Mark every field that is not in `optional` as required in OpenAPI."""
        field_obj.required = field_name not in self.optional


class UserResponse(Response):
    """The logged-in user, in login responses and `/v1/me`. `PROFILE_COLUMNS` has the columns."""

    id = fields.UUID()
    account = fields.String(allow_none=True)
    nickname = fields.String(allow_none=True)
    avatar_url = fields.String(allow_none=True)
    gender = fields.Integer(metadata={"description": "0 unknown, 1 male, 2 female"})
    level = fields.Integer()
    phone = fields.String(allow_none=True, metadata={"description": "E.164"})


class ClosingResponse(Response):
    """The state of a closed account or an erased visitor."""

    erase_after = fields.AwareDateTime(
        metadata={
            "description": "A login before this time keeps the account. Data of a visitor is"
            " erased immediately, the time of the request"
        }
    )
    erased = fields.Boolean(metadata={"description": "Whether the personal data is already erased"})


class TokensResponse(Response):
    """Login token and refresh token. `expires_in` is in seconds."""

    token = fields.String()
    refresh_token = fields.String(allow_none=True)
    expires_in = fields.Integer()


class LoginResponse(Response):
    """A login. `user` and `refresh_token` are null while the login is unbound."""

    token = fields.String(attribute="tokens.token")
    refresh_token = fields.String(attribute="tokens.refresh_token", allow_none=True)
    expires_in = fields.Integer(
        attribute="tokens.expires_in",
        metadata={"description": "Lifetime of the login token in seconds"},
    )
    bound = fields.Function(lambda login: login.user is not None, metadata={"type": "boolean"})
    user = fields.Nested(UserResponse, allow_none=True)
    openid = fields.String(allow_none=True)
    unionid = fields.String(allow_none=True)


class SessionResponse(Response):
    """A login session of the user, as shown to that user."""

    id = fields.UUID()
    device = fields.String(
        allow_none=True, metadata={"description": "Derived from the User-Agent header"}
    )
    appid = fields.String()
    app_name = fields.String()
    address = fields.String(allow_none=True)
    first_seen_at = fields.AwareDateTime()
    last_seen_at = fields.AwareDateTime(metadata={"description": "To the minute"})
    current = fields.Boolean(
        metadata={"description": "Whether the session belongs to the token of this request"}
    )


class ProfileResponse(Response):
    """The stored nickname and avatar."""

    nickname = fields.String(allow_none=True)
    avatar_url = fields.String(allow_none=True)


class LivenessResponse(Response):
    """The state of the process and the version of wxpass that it runs."""

    status = fields.String()
    version = fields.String()


class StatusResponse(Response):
    """The state of the service."""

    status = fields.String()


class ProblemResponse(Response):
    """Problem details (RFC 9457). `code` is stable. `detail` is a translated message."""

    optional = frozenset({"errors"})

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    code = fields.String()
    detail = fields.String(metadata={"description": "Chinese or English, by Accept-Language"})
    request_id = fields.String()
    errors = fields.Dict(
        metadata={"description": "Error messages by field name, if fields are invalid"}
    )
