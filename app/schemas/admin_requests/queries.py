"""Queries of the admin API's lists. A filter that was not sent is None in its record."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from marshmallow import RAISE, fields, validate

from app.schemas.admin_requests.fields import USER_STATUS, Shaped
from app.schemas.fields import Account, Name, Text
from app.schemas.loading import RequestSchema, T
from app.schemas.requests import CursorFields, CursorParams
from app.schemas.shapes import APP_KEY


@dataclass(frozen=True, slots=True)
class PageParams(CursorParams):
    """A page of a list, and whether to count all rows."""

    counted: bool = False


class PageFields(CursorFields[T]):
    """The fields that the query of every list has; the total is counted only on demand."""

    class Meta:
        unknown = RAISE

    counted = fields.Boolean(data_key="count")


class PageQuery(PageFields[PageParams]):
    """A page of a list. The total is counted only on demand."""

    record = PageParams


@dataclass(frozen=True, slots=True)
class UserListParams(PageParams):
    """The users to list."""

    account: str | None = None
    phone: str | None = field(default=None, repr=False)
    openid: str | None = None
    nickname: str | None = None
    status: str | None = None


class UserListQuery(PageFields[UserListParams]):
    """Filters of users: phone and openid in full, account and nickname by prefix."""

    record = UserListParams

    account = Account()
    phone = Text(32, metadata={"description": "The whole number"})
    openid = Text(128)
    nickname = Name()
    status = fields.String(validate=USER_STATUS)


@dataclass(frozen=True, slots=True)
class SessionListParams(PageParams):
    """The sessions to list."""

    appid: str | None = None
    user_id: UUID | None = None
    living: bool | None = None


class SessionListQuery(PageFields[SessionListParams]):
    """Filters of login sessions."""

    record = SessionListParams

    appid = Shaped(APP_KEY)
    user_id = fields.UUID()
    living = fields.Boolean()


@dataclass(frozen=True, slots=True)
class AuditListParams(PageParams):
    """The audit events to list."""

    action: str | None = None
    actor_kind: str | None = None
    actor_email: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditListQuery(PageFields[AuditListParams]):
    """Filters of audit events. `until` is exclusive."""

    record = AuditListParams

    action = Text(64)
    actor_kind = fields.String(validate=validate.OneOf(["user", "operator", "wechat", "system"]))
    actor_email = Text(254)
    subject = Text(128)
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


@dataclass(frozen=True, slots=True)
class OverviewParams:
    """The number of days, of which today is the last."""

    days: int


class OverviewQuery(RequestSchema[OverviewParams]):
    """The number of days. Today is the last."""

    record = OverviewParams

    days = fields.Integer(load_default=30, validate=validate.Range(1, 400))
