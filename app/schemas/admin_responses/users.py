"""Response schemas of a tenant's users and login sessions."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.admin_responses.tenants import EventResponse
from app.schemas.responses import Response


class TenantUserResponse(Response):
    """A user, as shown to operators. The phone number is masked."""

    id = fields.UUID()
    account = fields.String(allow_none=True)
    nickname = fields.String(allow_none=True)
    avatar_url = fields.String(allow_none=True)
    phone = fields.String(allow_none=True, metadata={"description": "Masked: 138****8000"})
    status = fields.String()
    merged_into_id = fields.UUID(allow_none=True)
    has_password = fields.Boolean()
    last_login_at = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "Time of the last login or phone binding. A token refresh does not count"
        },
    )
    last_login_address = fields.String(allow_none=True)
    created_at = fields.AwareDateTime()


class UserListResponse(PageResponse):
    """A page of users, newest first."""

    items = fields.List(fields.Nested(TenantUserResponse))


class IdentityResponse(Response):
    """A WeChat identity of a user in one mini-program."""

    id = fields.UUID()
    appid = fields.String()
    app_name = fields.String()
    openid = fields.String()
    unionid = fields.String(allow_none=True)
    nickname = fields.String(allow_none=True)
    last_login_at = fields.AwareDateTime(
        metadata={"description": "Time of the last `wx.login` in the mini-program"}
    )


class TenantSessionResponse(Response):
    """A login session, as shown to operators."""

    id = fields.UUID()
    appid = fields.String()
    app_name = fields.String()
    user_id = fields.UUID(allow_none=True)
    identity_id = fields.UUID(allow_none=True)
    device = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    living = fields.Boolean()
    created_at = fields.AwareDateTime()
    seen_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime(allow_none=True)
    end_reason = fields.String(allow_none=True)


class SessionListResponse(PageResponse):
    """A page of login sessions, newest first."""

    items = fields.List(fields.Nested(TenantSessionResponse))


class MergeResponse(Response):
    """A merge of `merged_user_id` into `user_id`."""

    merged_user_id = fields.UUID()
    user_id = fields.UUID()
    moved = fields.Integer(metadata={"description": "Number of moved WeChat identities"})
    merged_at = fields.AwareDateTime()


class UserPageResponse(Response):
    """A user with WeChat identities and the latest 20 sessions, merges and audit events."""

    user = fields.Nested(TenantUserResponse)
    identities = fields.List(fields.Nested(IdentityResponse))
    sessions = fields.List(fields.Nested(TenantSessionResponse))
    merges = fields.List(fields.Nested(MergeResponse))
    events = fields.List(fields.Nested(EventResponse))


class EndedResponse(Response):
    """The number of sessions that the request ended."""

    ended = fields.Integer()
