"""What operators' scripts may send. A field that is not named here is refused."""

import re
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from app.schemas.fields import Account, EmailAddress, Label, Name, SessionLimit, Text, is_encodable
from app.schemas.requests import SHORTEST_PASSWORD, CursorQuery
from app.schemas.shapes import (
    APP_KEY,
    APP_SECRET,
    ENCODING_AES_KEY,
    LONGEST_SLUG,
    NEW_APPID,
    PUSH_TOKEN,
    SHORTEST_OPERATOR_PASSWORD,
    SLUG,
)

# Room for a recovery code with blanks between its characters.
LONGEST_CODE = 64
STATUS = validate.OneOf(["active", "disabled"])
ROLE = validate.OneOf(["platform", "tenant_admin", "tenant_reader"])
REGISTRATION = validate.OneOf(["on_login", "on_phone", "closed"])
DATA_FORMAT = validate.OneOf(["json", "xml"])
VISITOR_DAYS = (
    "Days after the last login until retention erases a WeChat identity that belongs to no user"
)
PHONE_OWNER = validate.OneOf(["bind", "refuse"])


class Shaped(fields.String):
    """A text of one shape, all of it."""

    def __init__(self, shape: re.Pattern[str], **kwargs: Any) -> None:
        super().__init__(validate=validate.Regexp(rf"(?:{shape.pattern})\Z"), **kwargs)


class Slug(fields.String):
    """The slug of a tenant."""

    def __init__(self, **kwargs: Any) -> None:
        shape = validate.Regexp(rf"(?:{SLUG.pattern})\Z")
        super().__init__(validate=[shape, validate.Length(max=LONGEST_SLUG)], **kwargs)


class ChangeRequest(Schema):
    """Something to change: at least one field."""

    @validates_schema
    def changes_something(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse an empty change."""
        if not data:
            raise ValidationError("Say what to change.")


class Code(fields.String):
    """A one-time code or a recovery code, with any blanks and hyphens that people type."""

    def __init__(self, **kwargs: Any) -> None:
        longest = validate.Length(1, LONGEST_CODE)
        super().__init__(validate=[is_encodable, longest], load_only=True, **kwargs)


class SignInRequest(Schema):
    """An operator's e-mail address and password; a code, where one-time codes are enabled."""

    email = EmailAddress(required=True)
    password = Text(128, required=True, load_only=True)
    code = Code(load_default=None)


class StepUpRequest(Schema):
    """The operator's password; a code, where one-time codes are enabled."""

    password = Text(128, required=True, load_only=True)
    code = Code(load_default=None)


class OwnPasswordRequest(Schema):
    """The password that the operator wants."""

    new_password = Text(128, shortest=SHORTEST_OPERATOR_PASSWORD, required=True, load_only=True)


class CodeRequest(Schema):
    """The code that the authenticator app shows."""

    code = Code(required=True)


class CodeRemovalRequest(Schema):
    """A one-time code or a recovery code, where one-time codes are enabled."""

    code = Code(load_default=None)


class InvitationRequest(Schema):
    """What the link of an invitation carries, and the password that is chosen."""

    invitation = Text(128, required=True)
    password = Text(128, shortest=SHORTEST_OPERATOR_PASSWORD, required=True, load_only=True)


class NewTenantRequest(Schema):
    """A tenant to add."""

    slug = Slug(required=True)
    name = Label(required=True)
    phone_owner_policy = fields.String(validate=PHONE_OWNER)


class TenantChangeRequest(ChangeRequest):
    """What of a tenant is to change."""

    name = Label()
    status = fields.String(validate=STATUS)
    phone_owner_policy = fields.String(validate=PHONE_OWNER)
    visitor_days = fields.Integer(
        strict=True, validate=validate.Range(1, 3650), metadata={"description": VISITOR_DAYS}
    )


def tenant_goes_with_role(data: dict[str, Any]) -> None:
    """Refuse a tenant's operator without a tenant, and a platform's with one."""
    if "role" in data and (data["role"] == "platform") != (data.get("tenant_slug") is None):
        raise ValidationError("A tenant's operator has a tenant, a platform's none.", "tenant")


class NewOperatorRequest(Schema):
    """Somebody to invite."""

    email = EmailAddress(required=True)
    role = fields.String(required=True, validate=ROLE)
    tenant_slug = Slug(data_key="tenant", allow_none=True, load_default=None)

    @validates_schema
    def role_fits(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a role without its tenant."""
        tenant_goes_with_role(data)


class OperatorChangeRequest(ChangeRequest):
    """A status, or a role with its tenant."""

    status = fields.String(validate=STATUS)
    role = fields.String(validate=ROLE)
    tenant_slug = Slug(data_key="tenant", allow_none=True)

    @validates_schema
    def changes_one_thing(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse both at once, and a tenant alone."""
        if ("status" in data) == ("role" in data) or set(data) == {"status", "tenant_slug"}:
            raise ValidationError("Send either status, or role and tenant.", "status")
        tenant_goes_with_role(data)


class NewAppRequest(Schema):
    """A mini-program to add."""

    # The service refuses what WeChat cannot have given, under a code of its own.
    appid = Text(64, required=True, metadata={"pattern": rf"^{NEW_APPID.pattern}$"})
    name = Label(required=True)
    registration = fields.String(validate=REGISTRATION, load_default="on_phone")
    data_format = fields.String(validate=DATA_FORMAT, load_default="json")
    secret = Shaped(APP_SECRET, required=True, load_only=True)
    push_token = Shaped(PUSH_TOKEN, load_only=True)
    encoding_aes_key = Shaped(ENCODING_AES_KEY, load_only=True)


class AppChangeRequest(ChangeRequest):
    """What of a mini-program is to change."""

    name = Label()
    registration = fields.String(validate=REGISTRATION)
    data_format = fields.String(validate=DATA_FORMAT)
    session_limit = SessionLimit()
    enabled = fields.Boolean(truthy={True}, falsy={False})


class AppMoveRequest(Schema):
    """The tenant that a mini-program is moved to."""

    to_slug = Slug(data_key="tenant", required=True)


class SecretsRequest(ChangeRequest):
    """Secrets to enter; null takes one out, and what is not named stays."""

    secret = Shaped(APP_SECRET, load_only=True)
    next_secret = Shaped(APP_SECRET, load_only=True, allow_none=True)
    push_token = Shaped(PUSH_TOKEN, load_only=True, allow_none=True)
    encoding_aes_key = Shaped(ENCODING_AES_KEY, load_only=True, allow_none=True)


class NewUserRequest(Schema):
    """A person to enter, by account, by phone, or both."""

    account = Account()
    password = Text(128, shortest=SHORTEST_PASSWORD, load_only=True)
    phone = Text(32, metadata={"description": "A mobile number; outside China with + and its code"})
    nickname = Name()


class UserChangeRequest(Schema):
    """Whether a user may log in."""

    status = fields.String(required=True, validate=STATUS)


class UserPasswordRequest(Schema):
    """A password for a user."""

    password = Text(128, shortest=SHORTEST_PASSWORD, required=True, load_only=True)


class MergeRequest(Schema):
    """Whom a user is merged into."""

    into_id = fields.UUID(required=True)


class PageQuery(CursorQuery):
    """Which page of a list; the total is counted only on demand."""

    class Meta:
        unknown = RAISE

    counted = fields.Boolean(data_key="count")


class UserListQuery(PageQuery):
    """Who is looked for: phone and openid whole, account and nickname by their beginning."""

    account = Account()
    phone = Text(32, metadata={"description": "The whole number"})
    openid = Text(128)
    nickname = Name()
    status = fields.String(validate=validate.OneOf(["active", "disabled", "merged"]))


class SessionListQuery(PageQuery):
    """Which login sessions are looked for."""

    appid = Shaped(APP_KEY)
    user_id = fields.UUID()
    living = fields.Boolean()


class AuditListQuery(PageQuery):
    """Which events are looked for, from `since` to before `until`."""

    action = Text(64)
    actor_kind = fields.String(validate=validate.OneOf(["user", "operator", "wechat", "system"]))
    actor_email = Text(254)
    subject = Text(128)
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


class OverviewQuery(Schema):
    """Over how many days, today the last."""

    days = fields.Integer(load_default=30, validate=validate.Range(1, 400))


class ExportRequest(Schema):
    """Whom to take out: all, or those whose account or nickname begins so, or of one status."""

    query = Name()
    status = fields.String(validate=validate.OneOf(["active", "disabled", "merged"]))
    full_phones = fields.Boolean(truthy={True}, falsy={False})
