"""What operators' scripts get: no secret, and no phone number that is not masked."""

from marshmallow import fields

from app.schemas.fields import SessionLimit
from app.schemas.responses import Response


class PageResponse(Response):
    """A page of a list."""

    next_cursor = fields.String(
        allow_none=True, metadata={"description": "For the next page; null on the last"}
    )
    count = fields.Integer(allow_none=True, metadata={"description": "Of all, if asked for"})


class OperatorTokensResponse(Response):
    """What a script keeps. The lifetime is in seconds."""

    access_token = fields.String()
    refresh_token = fields.String()
    expires_in = fields.Integer()


class SignedInResponse(Response):
    """Who is signed in."""

    id = fields.UUID(attribute="operator_id")
    email = fields.String()
    role = fields.String()
    tenant = fields.String(attribute="tenant_slug", allow_none=True)
    proven_at = fields.AwareDateTime(
        metadata={"description": "When password and one-time code were last proven"}
    )


class OwnSessionResponse(Response):
    """A session of the operator."""

    id = fields.UUID()
    kind = fields.String(metadata={"description": "`console` or `script`"})
    device = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    created_at = fields.AwareDateTime()
    seen_at = fields.AwareDateTime()
    is_current = fields.Boolean()


class OwnSessionListResponse(Response):
    """The operator's active sessions, the latest used first; 100 at most."""

    items = fields.List(fields.Nested(OwnSessionResponse))


class EnrolmentResponse(Response):
    """What an authenticator app takes."""

    uri = fields.String(metadata={"description": "`otpauth://...`, for a QR code"})
    secret = fields.String(metadata={"description": "In base32, for typing"})


class RecoveryCodesResponse(Response):
    """Ten recovery codes. They are shown once; each works once."""

    recovery_codes = fields.List(fields.String())


class AcceptedResponse(Response):
    """Whose invitation it was."""

    email = fields.String()


class TenantResponse(Response):
    """A tenant."""

    id = fields.UUID()
    slug = fields.String()
    name = fields.String()
    status = fields.String()
    phone_owner_policy = fields.String()
    visitor_days = fields.Integer(
        metadata={
            "description": "Days after the last login until retention erases a WeChat identity"
            " that belongs to no user"
        }
    )
    created_at = fields.AwareDateTime()


class TenantListResponse(PageResponse):
    """Tenants by slug."""

    items = fields.List(fields.Nested(TenantResponse))


class OperatorResponse(Response):
    """An operator."""

    id = fields.UUID()
    email = fields.String()
    role = fields.String()
    tenant = fields.String(attribute="tenant_slug", allow_none=True)
    status = fields.String()
    is_invited = fields.Boolean(metadata={"description": "Whether a password is still to come"})
    asks_code = fields.Boolean(metadata={"description": "Whether one-time codes are asked for"})
    signed_in_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()


class OperatorListResponse(PageResponse):
    """Operators by e-mail address."""

    items = fields.List(fields.Nested(OperatorResponse))


class InvitationResponse(Response):
    """An invited operator, and the secret of the link to them; it is shown once."""

    operator = fields.Nested(OperatorResponse)
    invitation = fields.String()


class SecretMarkResponse(Response):
    """That a secret is there: another one has another fingerprint."""

    fingerprint = fields.String()
    set_at = fields.AwareDateTime(allow_none=True)


class VerdictResponse(Response):
    """What WeChat says of one AppSecret."""

    which = fields.String(metadata={"description": "`current` or `next`"})
    outcome = fields.String(
        metadata={
            "description": "`right`, `wrong` or `unknown`; `held_elsewhere` if the AppSecret is "
            "right and another tenant of this service uses the mini-program"
        }
    )
    errcode = fields.Integer(allow_none=True)
    advice = fields.String(metadata={"description": "Chinese or English, by Accept-Language"})


class TenantAppResponse(Response):
    """A mini-program; null in the place of a secret that is not there."""

    appid = fields.String()
    state = fields.String(
        metadata={
            "description": "`active`; `pending` or `closed` until WeChat has accepted the "
            "AppSecret; `released` once the appid was taken away. Only an active one serves "
            "requests"
        }
    )
    name = fields.String()
    registration = fields.String()
    data_format = fields.String()
    session_limit = SessionLimit()
    enabled = fields.Boolean()
    created_at = fields.AwareDateTime()
    secret = fields.Nested(SecretMarkResponse, allow_none=True)
    next_secret = fields.Nested(SecretMarkResponse, allow_none=True)
    push_token = fields.Nested(SecretMarkResponse, allow_none=True)
    encoding_aes_key = fields.Nested(SecretMarkResponse, allow_none=True)
    verdict = fields.Nested(
        VerdictResponse,
        allow_none=True,
        metadata={"description": "What WeChat last said of an AppSecret that is not proven"},
    )
    checked_at = fields.AwareDateTime(allow_none=True)


class AppUsageResponse(Response):
    """How many records a mini-program has, counted up to 100,000; with none it can be deleted."""

    identities = fields.Integer()
    sessions = fields.Integer()
    pushes = fields.Integer()


class AppListResponse(PageResponse):
    """Mini-programs by appid."""

    items = fields.List(fields.Nested(TenantAppResponse))


class VerificationResponse(Response):
    """What WeChat says of each AppSecret that is entered, and the state after that."""

    state = fields.String(metadata={"description": "`active` or `pending`"})
    verdicts = fields.List(fields.Nested(VerdictResponse))


class TenantUserResponse(Response):
    """A user, as operators see them."""

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
        metadata={"description": "Of any kind, phone binding included; a refresh is no login"},
    )
    last_login_address = fields.String(allow_none=True)
    created_at = fields.AwareDateTime()


class UserListResponse(PageResponse):
    """Users, newest first."""

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
        metadata={"description": "When `wx.login` last identified the person in the mini-program"}
    )


class TenantSessionResponse(Response):
    """A login session, as operators see it."""

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
    """Login sessions, newest first."""

    items = fields.List(fields.Nested(TenantSessionResponse))


class MergeResponse(Response):
    """That one user was merged into another."""

    merged_user_id = fields.UUID()
    user_id = fields.UUID()
    moved = fields.Integer(metadata={"description": "How many WeChat identities"})
    merged_at = fields.AwareDateTime()


class EventResponse(Response):
    """An event of the audit trail."""

    id = fields.UUID()
    at = fields.AwareDateTime()
    actor_kind = fields.String()
    actor_id = fields.UUID(allow_none=True)
    actor_email = fields.String(allow_none=True)
    action = fields.String()
    subject = fields.String()
    address = fields.String(allow_none=True)
    details = fields.Dict(metadata={"description": "`before` and `after`, and ids"})


class AuditListResponse(PageResponse):
    """Events, newest first."""

    items = fields.List(fields.Nested(EventResponse))


class UserPageResponse(Response):
    """All there is to see of a user: the latest 20 sessions, merges and events."""

    user = fields.Nested(TenantUserResponse)
    identities = fields.List(fields.Nested(IdentityResponse))
    sessions = fields.List(fields.Nested(TenantSessionResponse))
    merges = fields.List(fields.Nested(MergeResponse))
    events = fields.List(fields.Nested(EventResponse))


class EndedResponse(Response):
    """How many sessions ended."""

    ended = fields.Integer()
