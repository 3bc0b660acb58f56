"""Query parameters of lists in the admin API. A filter that was not sent is None."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from marshmallow import RAISE, fields, validate

from app.schemas.admin_requests.fields import USER_STATUS, Shaped
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import Account, Name, Text
from app.schemas.loading import RequestSchema, T
from app.schemas.queries import CursorFields, CursorParams
from app.schemas.shapes import APP_KEY


@dataclass(frozen=True, slots=True)
class PageParams(CursorParams):
    """Cursor and size of a page. `counted` requests the total number of rows."""

    counted: bool = False


class PageFields(CursorFields[T]):
    """Query parameters of every list: cursor, limit and count. Other parameters are rejected."""

    class Meta:
        unknown = RAISE

    counted = fields.Boolean(
        data_key="count",
        metadata=about("`true` also returns the number of all matching rows as `count`.", False),
    )


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

    account = Account(metadata=about("Beginning of the login name.", "wang"))
    phone = Text(
        32,
        metadata=about(
            "The complete phone number. Numbers are stored encrypted, so a part of a number"
            " finds nothing.",
            examples.PHONE,
        ),
    )
    openid = Text(
        128,
        metadata=about("The complete openid in any mini-program of the tenant.", examples.OPENID),
    )
    nickname = Name(metadata=about("Beginning of the nickname.", "王"))
    status = fields.String(validate=USER_STATUS, metadata=shown.USER_STATUS)


@dataclass(frozen=True, slots=True)
class SessionListParams(PageParams):
    """Filters and page of a list of login sessions."""

    appid: str | None = None
    user_id: UUID | None = None
    living: bool | None = None


class SessionListQuery(PageFields[SessionListParams]):
    """Filters for login sessions. `living` selects active or ended sessions."""

    record = SessionListParams

    appid = Shaped(APP_KEY, metadata=about("Only sessions of this mini-program.", examples.APPID))
    user_id = fields.UUID(metadata=about("Only sessions of this user.", examples.USER_ID))
    living = fields.Boolean(
        metadata=about("`true` selects active sessions, `false` ended ones.", True)
    )


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

    action = Text(
        64, metadata=about("Only this action, for example `user.changed`.", "user.changed")
    )
    actor_kind = fields.String(
        validate=validate.OneOf(["user", "operator", "wechat", "system"]),
        metadata=about("Only events of this kind of actor.", "operator"),
    )
    actor_email = Text(
        254, metadata=about("Only events of the operator with this e-mail address.", examples.EMAIL)
    )
    subject = Text(
        128, metadata=about("Only events about the object with this id or appid.", examples.USER_ID)
    )
    since = fields.AwareDateTime(
        metadata=about("Only events at or after this time.", examples.YESTERDAY)
    )
    until = fields.AwareDateTime(metadata=about("Only events before this time.", examples.LATER))


@dataclass(frozen=True, slots=True)
class OverviewParams:
    """The number of days in an overview, including today."""

    days: int


class OverviewQuery(RequestSchema[OverviewParams]):
    """The number of days in an overview, including today. 30 by default."""

    record = OverviewParams

    days = fields.Integer(
        load_default=30,
        validate=validate.Range(1, 400),
        metadata=about("Number of days, including today.", 30),
    )


@dataclass(frozen=True, slots=True)
class FailuresParams:
    """The length of the period in minutes."""

    minutes: int


class FailuresQuery(RequestSchema[FailuresParams]):
    """The length of the period in minutes. 10 by default."""

    record = FailuresParams

    minutes = fields.Integer(
        load_default=10,
        validate=validate.Range(1, 1440),
        metadata=about("Length of the period in minutes, up to a day.", 10),
    )
