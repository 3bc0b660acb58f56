"""Response schemas of the personal data export. Secrets and hashes are left out."""

from marshmallow import fields

from app.schemas.responses import Response


class UserExport(Response):
    """The user who requests the export, or a user merged into that user."""

    id = fields.UUID()
    account = fields.String(allow_none=True)
    nickname = fields.String(allow_none=True)
    avatar_url = fields.String(allow_none=True)
    gender = fields.Integer()
    level = fields.Integer()
    status = fields.String()
    has_password = fields.Function(
        lambda user: user.password_hash is not None, metadata={"type": "boolean"}
    )
    merged_into_id = fields.UUID(allow_none=True)
    last_login_at = fields.AwareDateTime(allow_none=True)
    last_login_ip = fields.String(allow_none=True)
    erase_after = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()


class PhoneExport(Response):
    """A verified phone number, not masked."""

    id = fields.UUID()
    user_id = fields.UUID()
    number = fields.String(metadata={"description": "E.164"})
    country_code = fields.Integer()
    verified_at = fields.AwareDateTime()


class IdentityExport(Response):
    """A WeChat identity in one mini-program."""

    id = fields.UUID()
    user_id = fields.UUID(allow_none=True)
    appid = fields.String()
    openid = fields.String()
    unionid = fields.String(allow_none=True)
    joins_by_unionid = fields.Boolean()
    merge_id = fields.UUID(allow_none=True)
    nickname = fields.String(allow_none=True)
    avatar_url = fields.String(allow_none=True)
    last_login_at = fields.AwareDateTime()
    created_at = fields.AwareDateTime()


class MergeExport(Response):
    """A merge of `merged_user_id` into `user_id`."""

    id = fields.UUID()
    merged_user_id = fields.UUID()
    user_id = fields.UUID()
    moved = fields.Integer()
    merged_at = fields.AwareDateTime()
    phone_id = fields.UUID(allow_none=True)


class SessionExport(Response):
    """A login session, active or ended."""

    id = fields.UUID()
    appid = fields.String()
    social_account_id = fields.UUID(allow_none=True)
    user_id = fields.UUID(allow_none=True)
    was_bound = fields.Boolean()
    device = fields.String(allow_none=True)
    ip = fields.String(allow_none=True)
    created_at = fields.AwareDateTime()
    seen_at = fields.AwareDateTime()
    refreshed_at = fields.AwareDateTime(allow_none=True)
    expires_at = fields.AwareDateTime()
    refresh_expires_at = fields.AwareDateTime(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    end_reason = fields.String(allow_none=True)


class SessionKeyExport(Response):
    """Metadata of a stored WeChat session_key. The key itself is left out."""

    id = fields.UUID()
    social_account_id = fields.UUID()
    asked_at = fields.AwareDateTime()


class CodeExchangeExport(Response):
    """A recent exchange of a `wx.login` code."""

    appid = fields.String()
    asked_at = fields.AwareDateTime()
    session_id = fields.UUID()


class PasswordTryExport(Response):
    """A counter of failed password attempts, or a known device with a count of zero."""

    level = fields.Float()
    counted_at = fields.AwareDateTime()
    held_until = fields.AwareDateTime()
    forgotten_at = fields.AwareDateTime()


class PushExport(Response):
    """A message that WeChat pushed about the user. `message` is null once the text is erased."""

    id = fields.UUID()
    appid = fields.String()
    event = fields.String()
    received_at = fields.AwareDateTime()
    handled_at = fields.AwareDateTime(allow_none=True)
    message = fields.String(allow_none=True)


class AuditEventExport(Response):
    """An audit event of which the user is the actor or the subject."""

    id = fields.UUID()
    actor_kind = fields.String()
    actor_id = fields.UUID(allow_none=True)
    action = fields.String()
    subject = fields.String()
    ip = fields.String(allow_none=True)
    details = fields.Dict()
    created_at = fields.AwareDateTime()


class ExportResponse(Response):
    """All personal data of the logged-in user or visitor. `users` is empty for a visitor."""

    users = fields.Nested(UserExport, many=True)
    phones = fields.Nested(PhoneExport, many=True)
    identities = fields.Nested(IdentityExport, many=True)
    merges = fields.Nested(MergeExport, many=True)
    sessions = fields.Nested(SessionExport, many=True)
    session_keys = fields.Nested(SessionKeyExport, many=True)
    code_exchanges = fields.Nested(CodeExchangeExport, many=True)
    password_tries = fields.Nested(PasswordTryExport, many=True)
    pushes = fields.Nested(PushExport, many=True)
    audit_events = fields.Nested(AuditEventExport, many=True)
