"""Response schemas of the personal data export. Secrets and hashes are left out."""

from marshmallow import fields

from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class UserExport(Response):
    """The user who asked for the export, or a user merged into that user."""

    id = fields.UUID(metadata=shown.USER_ID)
    account = fields.String(allow_none=True, metadata=shown.ACCOUNT)
    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    avatar_url = fields.String(allow_none=True, metadata=shown.AVATAR_URL)
    gender = fields.Integer(metadata=shown.GENDER)
    level = fields.Integer(metadata=shown.LEVEL)
    status = fields.String(metadata=shown.USER_STATUS)
    has_password = fields.Function(
        lambda user: user.password_hash is not None,
        metadata=shown.HAS_PASSWORD | {"type": "boolean"},
    )
    merged_into_id = fields.UUID(allow_none=True, metadata=shown.MERGED_INTO)
    last_login_at = fields.AwareDateTime(
        allow_none=True, metadata=about("Time of the last login.", examples.EARLIER)
    )
    last_login_ip = fields.String(
        allow_none=True, metadata=about("IP address of the last login.", examples.ADDRESS)
    )
    erase_after = fields.AwareDateTime(
        allow_none=True,
        metadata=about("Time at which a closed account is erased. Null for an open account.", None),
    )
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)


class PhoneExport(Response):
    """A verified phone number, not masked."""

    id = fields.UUID(metadata=about("Id of the phone number.", examples.PHONE_ID))
    user_id = fields.UUID(metadata=shown.USER_ID)
    number = fields.String(metadata=about("Phone number in E.164 format.", examples.PHONE))
    country_code = fields.Integer(metadata=about("Country code without the plus sign.", 86))
    verified_at = fields.AwareDateTime(
        metadata=about("Time of the verification.", examples.EARLIER)
    )


class IdentityExport(Response):
    """A WeChat identity in one mini-program."""

    id = fields.UUID(metadata=shown.IDENTITY_ID)
    user_id = fields.UUID(
        allow_none=True,
        metadata=shown.BOUND_USER_ID,
    )
    appid = fields.String(metadata=shown.APPID)
    openid = fields.String(metadata=shown.OPENID)
    unionid = fields.String(allow_none=True, metadata=shown.UNIONID)
    joins_by_unionid = fields.Boolean(
        metadata=about(
            "False after the person has unbound the identity, which then is not bound by"
            " unionid again.",
            True,
        )
    )
    merge_id = fields.UUID(
        allow_none=True,
        metadata=about("Id of the merge that moved the identity. Null if none did.", None),
    )
    nickname = fields.String(allow_none=True, metadata=shown.NICKNAME)
    avatar_url = fields.String(allow_none=True, metadata=shown.AVATAR_URL)
    last_login_at = fields.AwareDateTime(metadata=shown.LAST_LOGIN_AT)
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)


class MergeExport(Response):
    """A merge of `merged_user_id` into `user_id`."""

    id = fields.UUID(metadata=about("Id of the merge.", examples.MERGE_ID))
    merged_user_id = fields.UUID(metadata=shown.MERGED_USER_ID)
    user_id = fields.UUID(metadata=shown.REMAINING_USER_ID)
    moved = fields.Integer(metadata=shown.MOVED_IDENTITIES)
    merged_at = fields.AwareDateTime(metadata=shown.MERGED_AT)
    phone_id = fields.UUID(
        allow_none=True,
        metadata=about("Id of the phone number that was moved. Null if there was none.", None),
    )


class SessionExport(Response):
    """A login session, active or ended."""

    id = fields.UUID(metadata=shown.SESSION_ID)
    appid = fields.String(metadata=shown.APPID)
    social_account_id = fields.UUID(
        allow_none=True,
        metadata=shown.SESSION_IDENTITY_ID,
    )
    user_id = fields.UUID(
        allow_none=True,
        metadata=shown.BOUND_USER_ID,
    )
    was_bound = fields.Boolean(
        metadata=about("True if the session was ever bound to a user.", True)
    )
    device = fields.String(allow_none=True, metadata=shown.DEVICE)
    ip = fields.String(allow_none=True, metadata=shown.ADDRESS)
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)
    seen_at = fields.AwareDateTime(metadata=shown.SEEN_AT)
    refreshed_at = fields.AwareDateTime(
        allow_none=True, metadata=about("Time of the last refresh. Null if there was none.", None)
    )
    expires_at = fields.AwareDateTime(
        metadata=about("Time at which the login token expires.", examples.NOW)
    )
    refresh_expires_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about(
            "Time at which the refresh token expires. Null without one.", examples.LATER
        ),
    )
    ended_at = fields.AwareDateTime(allow_none=True, metadata=shown.ENDED_AT)
    end_reason = fields.String(allow_none=True, metadata=shown.END_REASON)


class SessionKeyExport(Response):
    """Metadata of a stored WeChat session_key. The key itself is left out."""

    id = fields.UUID(metadata=about("Id of the stored session_key.", examples.RECORD_ID))
    social_account_id = fields.UUID(metadata=shown.IDENTITY_ID)
    asked_at = fields.AwareDateTime(
        metadata=about("Time at which WeChat returned the session_key.", examples.EARLIER)
    )


class CodeExchangeExport(Response):
    """A recent exchange of a `wx.login` code."""

    appid = fields.String(metadata=shown.APPID)
    asked_at = fields.AwareDateTime(metadata=about("Time of the exchange.", examples.EARLIER))
    session_id = fields.UUID(
        metadata=about("Id of the session that the exchange opened.", examples.SESSION_ID)
    )


class PasswordTryExport(Response):
    """A counter of failed password attempts, or a known device with a count of zero."""

    level = fields.Float(metadata=about("Decaying count of failed attempts.", 0.0))
    counted_at = fields.AwareDateTime(metadata=about("Time of the last count.", examples.EARLIER))
    held_until = fields.AwareDateTime(
        metadata=about("Attempts are rejected before this time.", examples.EARLIER)
    )
    forgotten_at = fields.AwareDateTime(
        metadata=about("Time at which this record is deleted.", examples.LATER)
    )


class PushExport(Response):
    """A message that WeChat pushed about the user. `message` is null once the text is erased."""

    id = fields.UUID(metadata=about("Id of the message.", examples.RECORD_ID))
    appid = fields.String(metadata=shown.APPID)
    event = fields.String(
        metadata=about(
            "Event of the message, for example `user_info_modified`.", "user_info_modified"
        )
    )
    received_at = fields.AwareDateTime(metadata=about("Time of arrival.", examples.EARLIER))
    handled_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about("Time at which it was handled. Null if it is pending.", examples.NOW),
    )
    message = fields.String(
        allow_none=True, metadata=about("Text of the message. Null once it is erased.", None)
    )


class AuditEventExport(Response):
    """An audit event of which the user is the actor or the subject."""

    id = fields.UUID(metadata=shown.EVENT_ID)
    actor_kind = fields.String(
        metadata=about("Who acted: `user`, `operator`, `wechat` or `system`.", "user")
    )
    actor_id = fields.UUID(
        allow_none=True,
        metadata=about(
            "Id of the actor. Null if the actor is no user or operator.", examples.USER_ID
        ),
    )
    action = fields.String(
        metadata=about(
            "What was done, for example `user.password_changed`.", "user.password_changed"
        )
    )
    subject = fields.String(metadata=shown.SUBJECT)
    ip = fields.String(allow_none=True, metadata=shown.ADDRESS)
    details = fields.Dict(metadata=about("Changed values in `before` and `after`, and ids.", {}))
    created_at = fields.AwareDateTime(metadata=shown.EVENT_AT)


class ExportResponse(Response):
    """All personal data of the logged-in user, or of an unbound login."""

    users = fields.Nested(
        UserExport,
        many=True,
        metadata=about(
            "The user, and the users merged into that user. Empty for an unbound login."
        ),
    )
    phones = fields.Nested(PhoneExport, many=True, metadata=about("Verified phone numbers."))
    identities = fields.Nested(
        IdentityExport, many=True, metadata=about("WeChat identities, one per mini-program.")
    )
    merges = fields.Nested(MergeExport, many=True, metadata=about("Merges of users."))
    sessions = fields.Nested(
        SessionExport, many=True, metadata=about("Login sessions, active and ended.")
    )
    session_keys = fields.Nested(
        SessionKeyExport,
        many=True,
        metadata=about("Metadata of WeChat session_keys. The keys are left out."),
    )
    code_exchanges = fields.Nested(
        CodeExchangeExport, many=True, metadata=about("Recent exchanges of `wx.login` codes.")
    )
    password_tries = fields.Nested(
        PasswordTryExport, many=True, metadata=about("Counts of failed passwords.")
    )
    pushes = fields.Nested(
        PushExport, many=True, metadata=about("Messages that WeChat pushed about the user.")
    )
    audit_events = fields.Nested(
        AuditEventExport, many=True, metadata=about("Audit events of the user.")
    )
