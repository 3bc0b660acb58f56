"""Reads of the counts by minute."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Integer, String, Uuid, and_, bindparam, column, func, select
from sqlalchemy.orm import Session

from app.models import MinuteCount, MinuteFailure, Tenant, WeChatApp

LOGINS = MinuteCount.logged_in + MinuteCount.logged_in_by_password


class AppKey(NamedTuple):
    """The key of an app."""

    tenant_id: UUID
    appid: str


class CauseKey(NamedTuple):
    """The key of a cause of an app. `errcode` is NO_ERRCODE if WeChat did not report it."""

    tenant_id: UUID
    appid: str
    code: str
    errcode: int

    @property
    def app(self) -> AppKey:
        """The app that fails."""
        return AppKey(self.tenant_id, self.appid)


class MinuteOfCause(NamedTuple):
    """The number of failures in a minute, and this server's IP address if WeChat rejected it."""

    minute: datetime
    failures: int
    our_ip: str | None


class Names(NamedTuple):
    """The names of an app and its tenant."""

    tenant_slug: str
    tenant_name: str
    app_name: str


def sum_failures(db: Session, tenant_id: UUID | None, since: datetime) -> Mapping[CauseKey, int]:
    """Return the number of failures per cause since a minute, in one tenant or in all."""
    one = MinuteFailure
    key = (one.tenant_id, one.appid, one.code, one.errcode)
    wanted = select(*key, func.sum(one.count)).where(*_since(one, tenant_id, since)).group_by(*key)
    return {CauseKey(*row[:4]): row[4] for row in db.execute(wanted)}


def sum_logins(db: Session, tenant_id: UUID | None, since: datetime) -> int:
    """Return the number of logins since a minute, in one tenant or in all."""
    wanted = select(func.coalesce(func.sum(LOGINS), 0))
    return int(db.scalars(wanted.where(*_since(MinuteCount, tenant_id, since))).one())


def read_failures(
    db: Session, causes: Sequence[CauseKey], since: datetime
) -> Mapping[CauseKey, Sequence[MinuteOfCause]]:
    """Return the minutes in which each cause occurred, in their order."""
    one, told = MinuteFailure, _told(causes, ("code", String()), ("errcode", Integer()))
    key = (one.tenant_id, one.appid, one.code, one.errcode)
    is_same = and_(*(mine == theirs for mine, theirs in zip(key, told.c, strict=True)))
    wanted = select(*key, one.minute, one.count, one.our_ip).join(told, is_same)
    found: dict[CauseKey, list[MinuteOfCause]] = {cause: [] for cause in causes}
    for row in db.execute(wanted.where(one.minute >= since).order_by(one.minute)):
        found[CauseKey(*row[:4])].append(MinuteOfCause(*row[4:]))
    return found


def read_logins(
    db: Session, apps: Iterable[AppKey], since: datetime
) -> Mapping[AppKey, Mapping[datetime, int]]:
    """Return the number of logins of each app by minute. Minutes without logins are left out."""
    wanted_apps = list(dict.fromkeys(apps))
    one, told = MinuteCount, _told(wanted_apps)
    is_same = and_(one.tenant_id == told.c.tenant_id, one.appid == told.c.appid)
    wanted = select(one.tenant_id, one.appid, one.minute, LOGINS).join(told, is_same)
    found: dict[AppKey, dict[datetime, int]] = {app: {} for app in wanted_apps}
    for tenant_id, appid, minute, logins in db.execute(
        wanted.where(one.minute >= since, LOGINS > 0)
    ):
        found[AppKey(tenant_id, appid)][minute] = logins
    return found


def read_names(db: Session, apps: Iterable[AppKey]) -> Mapping[AppKey, Names]:
    """Return the names of apps and of their tenants."""
    told = _told(list(dict.fromkeys(apps)))
    is_same = and_(WeChatApp.tenant_id == told.c.tenant_id, WeChatApp.appid == told.c.appid)
    key = (WeChatApp.tenant_id, WeChatApp.appid)
    wanted = select(*key, Tenant.slug, Tenant.name, WeChatApp.name).join(told, is_same)
    rows = db.execute(wanted.join(Tenant, Tenant.id == WeChatApp.tenant_id))
    return {AppKey(tenant_id, appid): Names(*names) for tenant_id, appid, *names in rows}


def _since(model: Any, tenant_id: UUID | None, since: datetime) -> tuple[Any, ...]:
    of_tenant = () if tenant_id is None else (model.tenant_id == tenant_id,)
    return (*of_tenant, model.minute >= since)


def _told(keys: Sequence[tuple[Any, ...]], *more: tuple[str, Any]) -> Any:
    """Return a table of keys. Two array parameters take any number of them."""
    kinds: list[tuple[str, Any]] = [("tenant_id", Uuid()), ("appid", String()), *more]
    columns: list[Any] = [column(name, kind) for name, kind in kinds]
    lists = zip(*keys, strict=True) if keys else ([] for _ in columns)
    arrays = [
        bindparam(None, list(values), ARRAY(one.type), unique=True)
        for one, values in zip(columns, lists, strict=True)
    ]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="told")
