"""Response schemas of a tenant's users and login sessions."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.admin_responses.tenants import EventResponse
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class TenantUserResponse(Response):
    """A user, as shown to operators. The phone number is masked."""

    id = fields.UUID(metadata=shown.USER_ID)
    account = fields.String(allow_none=True, metadata=shown.ACCOUNT)
    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    avatar_url = fields.String(allow_none=True, metadata=shown.AVATAR_URL)
    phone = fields.String(
        allow_none=True,
        metadata=about("Masked phone number. Null if the user has none.", examples.MASKED_PHONE),
    )
    status = fields.String(metadata=shown.USER_STATUS)
    merged_into_id = fields.UUID(allow_none=True, metadata=shown.MERGED_INTO)
    has_password = fields.Boolean(metadata=shown.HAS_PASSWORD)
    last_login_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about(
            "Time of the last login or phone binding. A token refresh does not count. Null"
            " if there was none.",
            examples.EARLIER,
        ),
    )
    last_login_address = fields.String(
        allow_none=True,
        metadata=about("IP address of the last login. Null if unknown.", examples.ADDRESS),
    )
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)


class UserListResponse(PageResponse):
    """A page of users, newest first."""

    items = fields.List(
        fields.Nested(TenantUserResponse), metadata=about("The users of this page.")
    )


class IdentityResponse(Response):
    """A WeChat identity of a user in one mini-program."""

    id = fields.UUID(metadata=shown.IDENTITY_ID)
    appid = fields.String(metadata=shown.APPID)
    app_name = fields.String(metadata=shown.APP_NAME)
    openid = fields.String(metadata=shown.OPENID)
    unionid = fields.String(allow_none=True, metadata=shown.UNIONID)
    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    last_login_at = fields.AwareDateTime(metadata=shown.LAST_LOGIN_AT)


class TenantSessionResponse(Response):
    """A login session, as shown to operators."""

    id = fields.UUID(metadata=shown.SESSION_ID)
    appid = fields.String(metadata=shown.APPID)
    app_name = fields.String(metadata=shown.APP_NAME)
    user_id = fields.UUID(
        allow_none=True,
        metadata=shown.BOUND_USER_ID,
    )
    identity_id = fields.UUID(
        allow_none=True,
        metadata=shown.SESSION_IDENTITY_ID,
    )
    device = fields.String(allow_none=True, metadata=shown.DEVICE)
    address = fields.String(allow_none=True, metadata=shown.ADDRESS)
    living = fields.Boolean(metadata=about("True while the session is active.", True))
    created_at = fields.AwareDateTime(metadata=shown.LOGGED_IN_AT)
    seen_at = fields.AwareDateTime(metadata=shown.SEEN_AT)
    ended_at = fields.AwareDateTime(allow_none=True, metadata=shown.ENDED_AT)
    end_reason = fields.String(allow_none=True, metadata=shown.END_REASON)


class SessionListResponse(PageResponse):
    """A page of login sessions, newest first."""

    items = fields.List(
        fields.Nested(TenantSessionResponse), metadata=about("The sessions of this page.")
    )


class MergeResponse(Response):
    """A merge of `merged_user_id` into `user_id`."""

    merged_user_id = fields.UUID(metadata=shown.MERGED_USER_ID)
    user_id = fields.UUID(metadata=shown.REMAINING_USER_ID)
    moved = fields.Integer(metadata=shown.MOVED_IDENTITIES)
    merged_at = fields.AwareDateTime(metadata=shown.MERGED_AT)


class UserPageResponse(Response):
    """A user with WeChat identities and the latest 20 sessions, merges and audit events."""

    user = fields.Nested(TenantUserResponse, metadata=about("The user."))
    identities = fields.List(
        fields.Nested(IdentityResponse), metadata=about("The WeChat identities of the user.")
    )
    sessions = fields.List(
        fields.Nested(TenantSessionResponse), metadata=about("The latest 20 sessions.")
    )
    merges = fields.List(
        fields.Nested(MergeResponse), metadata=about("The latest 20 merges into or of the user.")
    )
    events = fields.List(
        fields.Nested(EventResponse), metadata=about("The latest 20 audit events about the user.")
    )


class EndedResponse(Response):
    """The number of sessions that the request ended."""

    ended = fields.Integer(metadata=about("Number of sessions that the request ended.", 2))
