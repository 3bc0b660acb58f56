"""Reads of the counts by minute, with one statement per tenant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, String, Uuid, and_, bindparam, column, func, select
from sqlalchemy.orm import Session

from app.models import Tenant, WeChatApp
from app.services.database.tenant_reads import read_per_tenant, read_per_tenant_with

SUM_FAILURES = """
SELECT appid, code, errcode, sum(count) FROM minute_failures
WHERE tenant_id = %(tenant_id)s AND minute >= %(since)s GROUP BY appid, code, errcode
"""
SUM_LOGINS = """
SELECT coalesce(sum(logged_in + logged_in_by_password), 0) FROM minute_counts
WHERE tenant_id = %(tenant_id)s AND minute >= %(since)s
"""
FAILURES = """
SELECT appid, code, errcode, minute, count, our_ip FROM minute_failures
JOIN unnest(%(appids)s::text[], %(codes)s::text[], %(errcodes)s::int[])
    AS told (appid, code, errcode) USING (appid, code, errcode)
WHERE tenant_id = %(tenant_id)s AND minute >= %(since)s ORDER BY minute
"""
LOGINS = """
SELECT appid, minute, logged_in + logged_in_by_password FROM minute_counts
WHERE tenant_id = %(tenant_id)s AND minute >= %(since)s AND appid = ANY(%(appids)s)
    AND logged_in + logged_in_by_password > 0
"""


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


K = TypeVar("K", AppKey, CauseKey)


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


def sum_failures(db: Session, tenants: Sequence[UUID], since: datetime) -> Mapping[CauseKey, int]:
    """Return the number of failures per cause in tenants since a minute."""
    return {
        CauseKey(tenant_id, *cause): failures
        for tenant_id, rows in read_per_tenant(db, SUM_FAILURES, tenants, since=since)
        for *cause, failures in rows
    }


def sum_logins(db: Session, tenants: Sequence[UUID], since: datetime) -> int:
    """Return the number of logins in tenants since a minute."""
    found = read_per_tenant(db, SUM_LOGINS, tenants, since=since)
    return sum(int(logins) for _, ((logins,),) in found)


def read_failures(
    db: Session, causes: Sequence[CauseKey], since: datetime
) -> Mapping[CauseKey, Sequence[MinuteOfCause]]:
    """Return the minutes in which each cause occurred, in their order."""
    found: dict[CauseKey, list[MinuteOfCause]] = {cause: [] for cause in causes}
    parameters = (
        (tenant_id, _arrays(of_tenant) | {"since": since})
        for tenant_id, of_tenant in _by_tenant(causes)
    )
    for tenant_id, rows in read_per_tenant_with(db, FAILURES, parameters):
        for appid, code, errcode, *minute in rows:
            found[CauseKey(tenant_id, appid, code, errcode)].append(MinuteOfCause(*minute))
    return found


def _arrays(causes: Sequence[CauseKey]) -> dict[str, object]:
    _, appids, codes, errcodes = (list(values) for values in zip(*causes, strict=True))
    return {"appids": appids, "codes": codes, "errcodes": errcodes}


def read_logins(
    db: Session, apps: Iterable[AppKey], since: datetime
) -> Mapping[AppKey, Mapping[datetime, int]]:
    """Return the number of logins of each app by minute. Minutes without logins are left out."""
    found: dict[AppKey, dict[datetime, int]] = {app: {} for app in apps}
    parameters = (
        (tenant_id, {"appids": [appid for _, appid in of_tenant], "since": since})
        for tenant_id, of_tenant in _by_tenant(found)
    )
    for tenant_id, rows in read_per_tenant_with(db, LOGINS, parameters):
        for appid, minute, logins in rows:
            found[AppKey(tenant_id, appid)][minute] = logins
    return found


def _by_tenant(keys: Iterable[K]) -> Iterator[tuple[UUID, Sequence[K]]]:
    by_tenant: dict[UUID, list[K]] = defaultdict(list)
    for key in keys:
        by_tenant[key[0]].append(key)
    return iter(by_tenant.items())


def read_names(db: Session, apps: Iterable[AppKey]) -> Mapping[AppKey, Names]:
    """Return the names of apps and of their tenants."""
    told = _told(list(dict.fromkeys(apps)))
    is_same = and_(WeChatApp.tenant_id == told.c.tenant_id, WeChatApp.appid == told.c.appid)
    key = (WeChatApp.tenant_id, WeChatApp.appid)
    wanted = select(*key, Tenant.slug, Tenant.name, WeChatApp.name).join(told, is_same)
    rows = db.execute(wanted.join(Tenant, Tenant.id == WeChatApp.tenant_id))
    return {AppKey(tenant_id, appid): Names(*names) for tenant_id, appid, *names in rows}


def _told(keys: Sequence[AppKey]) -> Any:
    """Return a table of keys. Two array parameters take any number of them."""
    columns: list[Any] = [column("tenant_id", Uuid()), column("appid", String())]
    lists = zip(*keys, strict=True) if keys else ([] for _ in columns)
    arrays = [
        bindparam(None, list(values), ARRAY(one.type), unique=True)
        for one, values in zip(columns, lists, strict=True)
    ]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="told")
