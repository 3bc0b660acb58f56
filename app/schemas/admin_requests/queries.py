"""Query parameters of lists in the admin API. A filter that was not sent is None."""

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
    """Cursor and size of a page. `counted` requests the total number of rows."""

    counted: bool = False


class PageFields(CursorFields[T]):
    """Query parameters of every list: cursor, limit and count. Other parameters are rejected."""

    class Meta:
        unknown = RAISE

    counted = fields.Boolean(data_key="count")


class PageQuery(PageFields[PageParams]):
    """Query parameters of a list without filters."""

    record = PageParams


@dataclass(frozen=True, slots=True)
class UserListParams(PageParams):
    """Filters and page of a list of users."""

    account: str | None = None
    phone: str | None = field(default=None, repr=False)
    openid: str | None = None
    nickname: str | None = None
    status: str | None = None


class UserListQuery(PageFields[UserListParams]):
    """Filters for users. `phone` and `openid` match in full, `account` and `nickname` by prefix."""

    record = UserListParams

    account = Account()
    phone = Text(32, metadata={"description": "The complete phone number"})
    openid = Text(128)
    nickname = Name()
    status = fields.String(validate=USER_STATUS)


@dataclass(frozen=True, slots=True)
class SessionListParams(PageParams):
    """Filters and page of a list of login sessions."""

    appid: str | None = None
    user_id: UUID | None = None
    living: bool | None = None


class SessionListQuery(PageFields[SessionListParams]):
    """Filters for login sessions. `living` selects active or ended sessions."""

    record = SessionListParams

    appid = Shaped(APP_KEY)
    user_id = fields.UUID()
    living = fields.Boolean()


@dataclass(frozen=True, slots=True)
class AuditListParams(PageParams):
    """Filters and page of a list of audit events."""

    action: str | None = None
    actor_kind: str | None = None
    actor_email: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditListQuery(PageFields[AuditListParams]):
    """Filters for audit events. `since` is inclusive, `until` is exclusive."""

    record = AuditListParams

    action = Text(64)
    actor_kind = fields.String(validate=validate.OneOf(["user", "operator", "wechat", "system"]))
    actor_email = Text(254)
    subject = Text(128)
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


@dataclass(frozen=True, slots=True)
class OverviewParams:
    """The number of days in an overview, including today."""

    days: int


class OverviewQuery(RequestSchema[OverviewParams]):
    """The number of days in an overview, including today. 30 by default."""

    record = OverviewParams

    days = fields.Integer(load_default=30, validate=validate.Range(1, 400))
