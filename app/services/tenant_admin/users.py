"""Users of a tenant: search by account, phone, openid or nickname, and show details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, any_, func, or_, select
from sqlalchemy.orm import Session

from app.errors import RequestInvalid, UserUnknown
from app.models import AuditEvent, LoginSession, Merge, Phone, SocialAccount, User, WeChatApp
from app.services.database.paging import (
    CursorPage,
    Listing,
    OffsetListing,
    OffsetPage,
    Page,
    read_offset_page,
    read_page,
)
from app.services.database.transactions import transaction
from app.services.sessions.active import is_active_row
from app.services.tenant_admin.audit_log import ListedEvent, events_of, shown_event
from app.services.tenant_admin.sessions import (
    ListedSession,
    sessions_with_apps,
    shown_session,
)
from app.services.tenant_admin.stale_lists import read_list
from app.services.tenant_admin.tenant_scope import TenantScope
from app.services.users.phone_numbers import (
    masked_as_written,
    number_index,
    refuse_unsearchable,
    searched_number,
)
from app.services.users.users import users_with_phones
from app.text_cleaning import account_name, has_something_visible

SHOWN_SESSIONS, SHOWN_EVENTS, SHOWN_MERGES = 20, 20, 20
# Ids contain the time of the insert, so they sort like `created_at`, and they have an index.
ORDERS: Final[Mapping[str, Any]] = {"created_at": User.id, "last_login_at": User.last_login_at}


@dataclass(frozen=True, slots=True)
class UserQuery:
    """A filter of users. None matches all.

    `phone` and `openid` match exactly; `account` and `nickname` are prefixes. `name` is a prefix of
    either the account or the nickname.
    """

    account: str | None = None
    phone: str | None = field(default=None)
    openid: str | None = None
    nickname: str | None = None
    status: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class FoundUser:
    """A user as operators see it, with a masked phone number."""

    id: UUID
    account: str | None
    nickname: str | None
    avatar_url: str | None
    phone: str | None
    status: str
    merged_into_id: UUID | None
    has_password: bool
    last_login_at: datetime | None
    last_login_address: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """A WeChat identity of the user in one app."""

    id: UUID
    appid: str
    app_name: str
    openid: str
    unionid: str | None
    nickname: str | None
    last_login_at: datetime


@dataclass(frozen=True, slots=True)
class ShownMerge:
    """A merge of one user into another, which may have been undone since."""

    merged_user_id: UUID
    user_id: UUID
    moved: int
    merged_at: datetime


@dataclass(frozen=True, slots=True)
class UserPage:
    """A user with all details: sessions with active ones first, and the latest audit events."""

    user: FoundUser
    identities: Sequence[Identity]
    sessions: Sequence[ListedSession]
    merges: Sequence[ShownMerge]
    events: Sequence[ListedEvent]


def find_users(scope: TenantScope, query: UserQuery, cursor_page: CursorPage) -> Page[FoundUser]:
    """Find users, newest first.

    Raises CursorInvalid, and the exceptions of `refuse_unsearchable` for an invalid phone number.
    """
    rows = _users(scope).where(*_wanted(scope, query))
    listing = Listing(rows, User.id, f"users:{scope.tenant_id}:{query}")
    found = read_list(
        scope.actor, scope.tenant_id, lambda db: read_page(db, listing, cursor_page, _shown)
    )
    return _explained(query, found)


def find_users_by_offset(
    scope: TenantScope, query: UserQuery, offset_page: OffsetPage
) -> Page[FoundUser]:
    """Return a numbered page of users.

    Raises the exceptions of `refuse_unsearchable` for an invalid phone number.
    """
    listing = OffsetListing(_users(scope), User.id, _wanted(scope, query), ORDERS)
    found = read_list(
        scope.actor, scope.tenant_id, lambda db: read_offset_page(db, listing, offset_page, _shown)
    )
    return _explained(query, found)


def _explained(query: UserQuery, found: Page[FoundUser]) -> Page[FoundUser]:
    """Return the page. Raise an exception if it is empty and the queried phone number is invalid.

    The number is validated after the search, because stored numbers may no longer be valid.
    """
    if query.phone is not None and not found.items:
        refuse_unsearchable(query.phone)
    return found


def _users(scope: TenantScope) -> Select[User, Phone | None]:
    return users_with_phones(scope.tenant_id, User, Phone)


def _wanted(scope: TenantScope, query: UserQuery) -> Sequence[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [User.tenant_id == scope.tenant_id]
    if query.name is not None:
        nickname = _begins(func.lower(User.nickname), query.name)
        account = account_name(query.name)
        wanted.append(or_(_begins(User.account, account), nickname) if account else nickname)
    if query.account is not None:
        wanted.append(_begins(User.account, account_name(query.account)))
    if query.nickname is not None:
        wanted.append(_begins(func.lower(User.nickname), query.nickname))
    if query.phone is not None:
        index = number_index(scope.tenant_id, searched_number(query.phone))
        has_it = (Phone.tenant_id == scope.tenant_id, Phone.number_index == index)
        wanted.append(User.id.in_(select(Phone.user_id).where(*has_it)))
    if query.openid is not None:
        wanted.append(User.id.in_(users_of_openid(scope.tenant_id, query.openid)))
    if query.status is not None:
        wanted.append(User.status == query.status)
    return wanted


def users_of_openid(tenant_id: UUID, openid: str) -> Select[UUID | None]:
    """Select the ids of the users with an openid in any app of the tenant.

    The apps are an array, so that PostgreSQL looks up the openid in each app by the unique
    constraint on appid and openid.
    """
    apps = select(WeChatApp.appid).where(WeChatApp.tenant_id == tenant_id)
    return select(SocialAccount.user_id).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.appid == any_(func.array(apps.scalar_subquery())),
        SocialAccount.openid == openid,
    )


def _begins(column: SQLColumnExpression[Any], text: str) -> ColumnElement[bool]:
    """Return the condition for a prefix. LIKE wildcards in the prefix are escaped."""
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.like(func.lower(f"{literal}%"), escape="\\")


def show_user_page(scope: TenantScope, user_id: UUID) -> UserPage:
    """Return a user with details, in a fixed number of queries. Raises UserUnknown."""
    with transaction() as db:
        user = _read_user(db, scope, user_id)
        identities = _read_identities(db, scope, user_id)
        return UserPage(
            user,
            identities,
            _read_sessions(db, scope, user_id),
            _read_merges(db, scope, user_id),
            _read_events(db, scope, [user_id, *(one.id for one in identities)]),
        )


def get_users_to_merge(
    scope: TenantScope, user_id: UUID, into_id: UUID
) -> tuple[FoundUser, FoundUser]:
    """Return a user and the user to merge into, for a confirmation.

    Raises RequestInvalid if they are the same user, or UserUnknown.
    """
    if user_id == into_id:
        raise RequestInvalid
    return show_user_page(scope, user_id).user, show_user_page(scope, into_id).user


def _read_user(db: Session, scope: TenantScope, user_id: UUID) -> FoundUser:
    row = db.execute(_users(scope).where(User.id == user_id)).one_or_none()
    if row is None:
        raise UserUnknown
    return _shown(*row)


def _read_identities(db: Session, scope: TenantScope, user_id: UUID) -> Sequence[Identity]:
    of_app = and_(
        WeChatApp.tenant_id == SocialAccount.tenant_id, WeChatApp.appid == SocialAccount.appid
    )
    rows = select(SocialAccount, WeChatApp.name).join(WeChatApp, of_app)
    its = (SocialAccount.tenant_id == scope.tenant_id, SocialAccount.user_id == user_id)
    found = db.execute(rows.where(*its).order_by(SocialAccount.id))
    return [
        Identity(one.id, one.appid, name, one.openid, one.unionid, one.nickname, one.last_login_at)
        for one, name in found
    ]


def _read_sessions(db: Session, scope: TenantScope, user_id: UUID) -> Sequence[ListedSession]:
    rows = sessions_with_apps(scope.tenant_id).where(LoginSession.user_id == user_id)
    ordered = rows.order_by(is_active_row().desc(), LoginSession.id.desc())
    return [shown_session(*row) for row in db.execute(ordered.limit(SHOWN_SESSIONS))]


def _read_merges(db: Session, scope: TenantScope, user_id: UUID) -> Sequence[ShownMerge]:
    takes_part = or_(Merge.merged_user_id == user_id, Merge.user_id == user_id)
    rows = select(Merge).where(Merge.tenant_id == scope.tenant_id, takes_part)
    found = db.scalars(rows.order_by(Merge.id.desc()).limit(SHOWN_MERGES))
    return [ShownMerge(one.merged_user_id, one.user_id, one.moved, one.merged_at) for one in found]


def _read_events(
    db: Session, scope: TenantScope, subjects: Sequence[UUID]
) -> Sequence[ListedEvent]:
    rows = events_of(scope.tenant_id).where(AuditEvent.subject.in_([str(one) for one in subjects]))
    latest = db.execute(rows.order_by(AuditEvent.id.desc()).limit(SHOWN_EVENTS))
    return [shown_event(*row) for row in latest]


def _shown(user: User, phone: Phone | None) -> FoundUser:
    return FoundUser(
        user.id,
        user.account,
        # A nickname from before they were cleaned may have no visible character to click on.
        user.nickname if has_something_visible(user.nickname or "") else None,
        user.avatar_url,
        masked_as_written(phone.number) if phone and phone.number else None,
        user.status,
        user.merged_into_id,
        user.password_hash is not None,
        user.last_login_at,
        user.last_login_ip,
        user.created_at,
    )
