"""Deleting an app, releasing its appid, and moving the appid to another tenant.

See docs/decisions/0023. An unused app is deleted. When a used app is released, its identities,
sessions, pushes and counts are moved in batches to a disabled app of the same tenant, with a key
that requests cannot use. After an interruption, a second call continues the release.
"""

from collections.abc import Callable
from uuid import UUID

from psycopg.errors import ForeignKeyViolation
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    AppBusy,
    AppClaimUnknown,
    AppInUse,
    AppNotProven,
    AppReleased,
    AppReleaseTooLarge,
    AppUnknown,
)
from app.models import Tenant, WeChatApp
from app.models.wechat_app import RELEASED, released_key
from app.services import audit
from app.services.apps.app_records import AppUsage, count_usage, drop_app, is_used, move_records
from app.services.apps.apps import APP_KEY
from app.services.apps.changes import NO_SECRETS
from app.services.apps.claims import ClaimedSecret, read_secret
from app.services.apps.proofs import activate, ask_claimed, lock_unchanged
from app.services.apps.secret_marks import put_secrets
from app.services.apps.tenants import tenant_id_of
from app.services.database.transactions import (
    WriteConflict,
    lift_timeouts,
    retry_on_conflict,
    transaction,
)

# The most rows that a request may move. The command line moves more.
MOST_BY_REQUEST = 50_000
# Counting for a page or an API response stops at this number of rows per table.
COUNTED = 100_000
# Logins that began before the app was disabled may add rows for some seconds.
ROUNDS = 20

Check = Callable[[Session], object]
Ending = Callable[[Session, AppUsage], None]


@retry_on_conflict
def delete_app(actor: audit.Actor, tenant_id: UUID, appid: str) -> None:
    """Delete an unused app. Raises AppUnknown, AppReleased or AppInUse."""
    with transaction() as db:
        app = _lock(db, tenant_id, appid)
        if app.released_at is not None:
            raise AppReleased
        if is_used(db, tenant_id, appid):
            raise AppInUse
        _drop(db, app)
        audit.record(db, tenant_id, actor, "app.deleted", appid)


def find_usage(tenant_id: UUID, appid: str) -> AppUsage:
    """Count the rows that prevent the deletion of an app, up to COUNTED rows per table.

    Raises AppUnknown or AppReleased.
    """
    with transaction() as db:
        _find(db, tenant_id, appid)
        return count_usage(db, tenant_id, appid, COUNTED)


def find_usage_of(tenant_slug: str, appid: str) -> AppUsage:
    """Call `find_usage` with a tenant's slug, for platform admins. Also raises TenantUnknown."""
    return find_usage(tenant_id_of(tenant_slug), appid)


def find_holder(appid: str) -> str | None:
    """Return the slug of the tenant that has an appid, or None. For platform admins only."""
    holder = select(Tenant.slug).join(WeChatApp).where(WeChatApp.appid == appid)
    with transaction() as db:
        return db.scalar(holder) if APP_KEY.fullmatch(appid) else None


def release_app(
    actor: audit.Actor, tenant_slug: str, appid: str, *, limited: bool = True
) -> AppUsage:
    """Release an appid from its tenant. Return the numbers of rows kept for the tenant.

    For platform admins only. The app's sessions end. Raises TenantUnknown, AppUnknown, AppReleased,
    AppBusy if logins keep adding rows, and, if `limited`, AppReleaseTooLarge for too many rows.
    """
    tenant_id = tenant_id_of(tenant_slug)

    def end(db: Session, kept: AppUsage) -> None:
        _record_release(db, actor, tenant_id, appid, kept)
        audit.record(db, None, actor, "app.released", appid, tenant=tenant_slug)

    return _free_appid(tenant_id, appid, lambda _db: None, end, limited=limited)


def move_app(
    actor: audit.Actor,
    tenant_slug: str,
    appid: str,
    to_slug: str,
    *,
    unproven: bool = False,
    limited: bool = True,
) -> AppUsage:
    """Release an appid from its tenant and activate the claim of another tenant to the appid.

    For platform admins only. Verifies the AppSecret of the claim with WeChat first, unless
    `unproven`. Users, identities and settings stay with the previous tenant. Raises
    AppClaimUnknown, AppClaimClosed, AppNotProven, AppClaimChanged if the claim was replaced during
    the call to WeChat, and the exceptions of `release_app`.
    """
    tenant_id, to_id = tenant_id_of(tenant_slug), tenant_id_of(to_slug)
    claimed = _claim_of(to_id, tenant_id, appid)
    if not unproven:
        verdict = ask_claimed(claimed)
        if verdict.outcome != "right":
            raise AppNotProven(f"errcode {verdict.errcode}")

    def end(db: Session, kept: AppUsage) -> None:
        activate(db, actor, claimed)
        _record_release(db, actor, tenant_id, appid, kept)
        slugs = {"from_tenant": tenant_slug, "to_tenant": to_slug}
        audit.record(db, None, actor, "app.moved", appid, **slugs)

    def check(db: Session) -> None:
        lock_unchanged(db, claimed)

    return _free_appid(tenant_id, appid, check, end, limited=limited)


def _claim_of(to_id: UUID, tenant_id: UUID, appid: str) -> ClaimedSecret:
    with transaction() as db:
        _find(db, tenant_id, appid)
        try:
            return read_secret(db, to_id, appid)
        except AppUnknown:
            raise AppClaimUnknown from None


def _free_appid(
    tenant_id: UUID, appid: str, check: Check, end: Ending, *, limited: bool
) -> AppUsage:
    """Delete an unused app, or move the rows of a used app and free its appid.

    Calls `check` in the transaction that disables a used app, and `end` in the one that frees the
    appid. Returns the numbers of moved rows.
    """
    if limited and find_usage(tenant_id, appid).total > MOST_BY_REQUEST:
        raise AppReleaseTooLarge
    key = _begin(tenant_id, appid, check, end)
    if key is None:
        return AppUsage(0, 0, 0)
    for _ in range(ROUNDS):
        move_records(tenant_id, appid, key)
        kept = _count_kept(tenant_id, key)
        if _finish(tenant_id, appid, key, kept, end):
            return kept
    raise AppBusy


@retry_on_conflict
def _begin(tenant_id: UUID, appid: str, check: Check, end: Ending) -> str | None:
    """Disable a used app and create the app that keeps its rows. Return the new app's key.

    Deletes an unused app and returns None. An interrupted release continues with the same key.
    """
    with transaction() as db:
        app = _lock(db, tenant_id, appid)
        if app.released_at is not None:
            return released_key(appid, app.released_at)
        if is_used(db, tenant_id, appid):
            check(db)
            return _create_released_app(db, app)
        _drop(db, app)
        end(db, AppUsage(0, 0, 0))
        return None


def _create_released_app(db: Session, app: WeChatApp) -> str:
    app.enabled, app.released_at = False, now()
    put_secrets(app, NO_SECRETS)
    key = released_key(app.appid, app.released_at)
    db.add(
        WeChatApp(
            appid=key,
            tenant_id=app.tenant_id,
            kind=app.kind,
            name=app.name,
            registration=app.registration,
            data_format=app.data_format,
            session_limit=app.session_limit,
            wechat_call_limit=app.wechat_call_limit,
            enabled=False,
            created_at=app.created_at,
            released_at=app.released_at,
        )
    )
    return key


def _count_kept(tenant_id: UUID, key: str) -> AppUsage:
    with transaction() as db:
        lift_timeouts(db)
        return count_usage(db, tenant_id, key)


@retry_on_conflict
def _finish(tenant_id: UUID, appid: str, key: str, kept: AppUsage, end: Ending) -> bool:
    """Delete the app and call `end`. Return False, without a change, if rows are left to move."""
    with transaction() as db:
        app = _lock(db, tenant_id, appid)
        if is_used(db, tenant_id, appid):
            return False
        lift_timeouts(db)
        _drop(db, app, key)
        end(db, kept)
        return True


def _record_release(
    db: Session, actor: audit.Actor, tenant_id: UUID, appid: str, kept: AppUsage
) -> None:
    counts = {"identities": kept.identities, "sessions": kept.sessions, "pushes": kept.pushes}
    audit.record(db, tenant_id, actor, "app.released", appid, **counts)


def _drop(db: Session, app: WeChatApp, key: str | None = None) -> None:
    """Call `drop_app`. Raises WriteConflict if a concurrent login has added a row of the app.

    In a distributed database, the lock on the app is on the coordinator, and the foreign keys of
    new rows are checked on the workers.
    """
    try:
        drop_app(db, app, key)
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):
            raise WriteConflict from error
        raise


def _lock(db: Session, tenant_id: UUID, appid: str) -> WeChatApp:
    """Return an app, locked FOR UPDATE. Raise AppUnknown or AppReleased.

    A concurrent insert of a row that references the app waits until this transaction ends, and
    fails if this transaction deletes the app. In a distributed database it does not wait: see
    `_drop`.
    """
    return _find(db, tenant_id, appid, lock=True)


def _find(db: Session, tenant_id: UUID, appid: str, *, lock: bool = False) -> WeChatApp:
    if not APP_KEY.fullmatch(appid):
        raise AppUnknown
    wanted = select(WeChatApp).where(WeChatApp.tenant_id == tenant_id, WeChatApp.appid == appid)
    app = db.scalar(wanted.with_for_update() if lock else wanted)
    if app is None:
        raise AppUnknown
    if RELEASED in appid:
        raise AppReleased
    return app
