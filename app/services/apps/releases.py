"""Taking an appid from its tenant: deleted, released or moved (docs/decisions/0023).

An unused app is deleted. A used one is released: its identities, sessions, pushes and counts stay
with the tenant under a key that no request can name, and the appid is free. That is done in small
batches, and a release that was interrupted is continued by calling it again.
"""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select
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
from app.services.apps.proofs import activate, ask_claimed
from app.services.apps.secret_marks import put_secrets
from app.services.apps.tenants import tenant_id_of
from app.services.database.transactions import let_take_long, retry_on_conflict, transaction

# How many records are moved while a request waits; more are for the command line.
MOST_BY_REQUEST = 50_000
# A page or a request for figures must not read millions of rows.
COUNTED = 100_000
# People who were logging in when the app was switched off may leave records for some seconds.
ROUNDS = 20

Ending = Callable[[Session, AppUsage], None]


@retry_on_conflict
def delete_app(actor: audit.Actor, tenant_id: UUID, appid: str) -> None:
    """Delete an unused app; raise AppUnknown, AppReleased or AppInUse."""
    with transaction() as db:
        app = _lock(db, tenant_id, appid)
        if app.released_at is not None:
            raise AppReleased
        if is_used(db, tenant_id, appid):
            raise AppInUse
        drop_app(db, app)
        audit.record(db, tenant_id, actor, "app.deleted", appid)


def find_usage(tenant_id: UUID, appid: str) -> AppUsage:
    """Count the records that keep an app from being deleted, of each kind up to COUNTED.

    Raises AppUnknown or AppReleased.
    """
    with transaction() as db:
        _find(db, tenant_id, appid)
        return count_usage(db, tenant_id, appid, COUNTED)


def find_usage_of(tenant_slug: str, appid: str) -> AppUsage:
    """Return the usage of an app by tenant slug, for the platform. Raise TenantUnknown."""
    return find_usage(tenant_id_of(tenant_slug), appid)


def find_holder(appid: str) -> str | None:
    """Return the slug of the tenant that has an appid, for the platform only."""
    holder = select(Tenant.slug).join(WeChatApp).where(WeChatApp.appid == appid)
    with transaction() as db:
        return db.scalar(holder) if APP_KEY.fullmatch(appid) else None


def release_app(
    actor: audit.Actor, tenant_slug: str, appid: str, *, limited: bool = True
) -> AppUsage:
    """Release an appid from its tenant. Return the number of records that were kept.

    For the platform only. Logins end with the next request. Raises TenantUnknown, AppUnknown,
    AppReleased, AppBusy, and AppReleaseTooLarge for too many records if it is `limited`.
    """
    tenant_id = tenant_id_of(tenant_slug)

    def end(db: Session, kept: AppUsage) -> None:
        _record_release(db, actor, tenant_id, appid, kept)
        audit.record(db, None, actor, "app.released", appid, tenant=tenant_slug)

    return _give_up(tenant_id, appid, end, limited=limited)


def move_app(
    actor: audit.Actor,
    tenant_slug: str,
    appid: str,
    to_slug: str,
    *,
    unproven: bool = False,
    limited: bool = True,
) -> AppUsage:
    """Release an app and activate it for another tenant that has claimed its appid.

    For the platform only. WeChat is asked about the AppSecret of the claim first, unless
    `unproven`. Users, identities and settings stay with the tenant that had the app. Raises
    AppClaimUnknown, AppClaimClosed, AppNotProven, and as `release_app` does.
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

    return _give_up(tenant_id, appid, end, limited=limited)


def _claim_of(to_id: UUID, tenant_id: UUID, appid: str) -> ClaimedSecret:
    with transaction() as db:
        _find(db, tenant_id, appid)
        try:
            return read_secret(db, to_id, appid)
        except AppUnknown:
            raise AppClaimUnknown from None


def _give_up(tenant_id: UUID, appid: str, end: Ending, *, limited: bool) -> AppUsage:
    """Take an app away in one transaction if it is unused, else after moving its records.

    `end` is called in the transaction that frees the appid.
    """
    if limited and find_usage(tenant_id, appid).total > MOST_BY_REQUEST:
        raise AppReleaseTooLarge
    key = _begin(tenant_id, appid, end)
    if key is None:
        return AppUsage(0, 0, 0)
    for _ in range(ROUNDS):
        move_records(tenant_id, appid, key)
        kept = _count_kept(tenant_id, key)
        if _finish(tenant_id, appid, key, kept, end):
            return kept
    raise AppBusy


@retry_on_conflict
def _begin(tenant_id: UUID, appid: str, end: Ending) -> str | None:
    """Disable a used app and create the app that keeps its records. Return that app's key.

    An unused app is deleted instead. An interrupted release continues with the same key.
    """
    with transaction() as db:
        app = _lock(db, tenant_id, appid)
        if app.released_at is not None:
            return released_key(appid, app.released_at)
        if is_used(db, tenant_id, appid):
            return _set_aside(db, app)
        drop_app(db, app)
        end(db, AppUsage(0, 0, 0))
        return None


def _set_aside(db: Session, app: WeChatApp) -> str:
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
        let_take_long(db)
        return count_usage(db, tenant_id, key)


@retry_on_conflict
def _finish(tenant_id: UUID, appid: str, key: str, kept: AppUsage, end: Ending) -> bool:
    """Free the appid; return False while there are records left to move."""
    with transaction() as db:
        app = _lock(db, tenant_id, appid)
        if is_used(db, tenant_id, appid):
            return False
        let_take_long(db)
        drop_app(db, app, key)
        end(db, kept)
        return True


def _record_release(
    db: Session, actor: audit.Actor, tenant_id: UUID, appid: str, kept: AppUsage
) -> None:
    counts = {"identities": kept.identities, "sessions": kept.sessions, "pushes": kept.pushes}
    audit.record(db, tenant_id, actor, "app.released", appid, **counts)


def _lock(db: Session, tenant_id: UUID, appid: str) -> WeChatApp:
    """Lock an app against new records: adding one waits, and fails if the app is gone then."""
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
