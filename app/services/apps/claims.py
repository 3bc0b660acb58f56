"""Claims: appids that a tenant has entered and not proven yet (docs/decisions/0023).

No function here reads another tenant's rows: whether another tenant has an appid does not change
the result of claiming it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import AppClaimClosed, AppClaimsTooMany, AppExists, AppPending, AppUnknown
from app.models import AppClaim, Tenant, WeChatApp
from app.models.columns import new_id
from app.not_given import NOT_GIVEN
from app.services import audit
from app.services.apps.apps import APPID, NewApp, refuse_malformed
from app.services.apps.changes import AppSettings, SecretChanges
from app.services.apps.secret_marks import put_secrets
from app.services.apps.verification_budget import charge_verification
from app.services.database.transactions import retry_on_conflict, transaction

# Counted from the time the claim was closed, or else from its last change of the AppSecret.
CLAIMS_KEPT = timedelta(days=90)
# Pending and closed claims that a tenant may have at a time.
MOST_CLAIMS = 20


@dataclass(frozen=True, slots=True)
class ClaimedSecret:
    """A claim and its AppSecret, read before the AppSecret is verified with WeChat."""

    claim_id: UUID
    tenant_id: UUID
    appid: str
    secret: str = field(repr=False)


@retry_on_conflict
def claim_app(
    actor: audit.Actor, tenant_id: UUID, new: NewApp, *, limited: bool = True
) -> ClaimedSecret:
    """Add a claim of a tenant to an appid. Return its AppSecret, for the caller to verify.

    A closed claim of the tenant to the appid is replaced. Raises AppidInvalid, and AppExists if the
    tenant has the appid or a pending claim to it. If `limited`, also counts the verification and
    raises AppClaimsTooMany or AppVerificationsTooMany.
    """
    refuse_malformed(new.appid)
    with transaction() as db:
        _lock_tenant(db, tenant_id)
        claims = _count_claims(db, tenant_id, new.appid)
        if limited:
            if claims >= MOST_CLAIMS:
                raise AppClaimsTooMany
            charge_verification(db, tenant_id)
        claim = AppClaim(
            id=new_id(),
            tenant_id=tenant_id,
            appid=new.appid,
            name=new.name,
            registration=new.registration,
            data_format=new.data_format,
        )
        told = put_secrets(claim, new.secrets)
        db.add(claim)
        shown = {"registration": new.registration, "data_format": new.data_format}
        after = {"name": new.name, **shown, **told["after"]}
        audit.record(db, tenant_id, actor, "app_claim.added", new.appid, after=after)
        return ClaimedSecret(claim.id, tenant_id, new.appid, new.secret)


def _lock_tenant(db: Session, tenant_id: UUID) -> None:
    """Lock the tenant, so that no other transaction adds a claim until this one ends."""
    this = select(Tenant.id).where(Tenant.id == tenant_id)
    db.execute(this.with_for_update(key_share=True))


def _count_claims(db: Session, tenant_id: UUID, appid: str) -> int:
    """Count the claims of a tenant. Delete its closed claim to the appid first.

    Raises AppExists if the tenant has the appid or a pending claim to it.
    """
    own_app = select(WeChatApp.appid).where(
        WeChatApp.tenant_id == tenant_id, WeChatApp.appid == appid
    )
    if db.scalar(own_app) is not None:
        raise AppExists
    mine = AppClaim.tenant_id == tenant_id
    is_closed = AppClaim.closed_at.is_not(None)
    db.execute(delete(AppClaim).where(mine, AppClaim.appid == appid, is_closed))
    appids = db.scalars(select(AppClaim.appid).where(mine)).all()
    if appid in appids:
        raise AppExists
    return len(appids)


@retry_on_conflict
def take_secret(tenant_id: UUID, appid: str, *, limited: bool = True) -> ClaimedSecret:
    """Return a claim's AppSecret, for the caller to verify. If `limited`, count the verification.

    Raises AppUnknown, AppClaimClosed or AppVerificationsTooMany.
    """
    with transaction() as db:
        claimed = read_secret(db, tenant_id, appid)
        if limited:
            charge_verification(db, tenant_id)
        return claimed


def read_secret(db: Session, tenant_id: UUID, appid: str) -> ClaimedSecret:
    """Return a claim's AppSecret. Raises AppUnknown or AppClaimClosed."""
    claim = _find(db, tenant_id, appid)
    if claim.closed_at is not None or claim.secret is None:
        raise AppClaimClosed
    return ClaimedSecret(claim.id, tenant_id, appid, claim.secret)


@retry_on_conflict
def change_claim(actor: audit.Actor, tenant_id: UUID, appid: str, settings: AppSettings) -> None:
    """Change settings of a claim. The app gets these settings when the claim is proven.

    Raises AppUnknown, or AppPending for a change of `enabled`.
    """
    with transaction() as db:
        claim = lock_claim(db, tenant_id, appid)
        if settings.enabled is not None:
            raise AppPending
        told = audit.before_and_after(claim, settings.given())
        settings.apply_to(claim)
        audit.record(db, tenant_id, actor, "app_claim.changed", appid, **told)


@retry_on_conflict
def replace_claim_secrets(
    actor: audit.Actor, tenant_id: UUID, appid: str, changes: SecretChanges
) -> None:
    """Replace secrets of a claim. A new AppSecret reopens a closed claim.

    A new AppSecret also deletes the verdict on the old one. Raises AppUnknown, AppPending for a
    next AppSecret, and AppClaimClosed if the claim is closed and no AppSecret is given.
    """
    with transaction() as db:
        claim = lock_claim(db, tenant_id, appid)
        if changes.next_secret is not NOT_GIVEN:
            raise AppPending
        if claim.closed_at is not None and changes.secret is NOT_GIVEN:
            raise AppClaimClosed
        told = put_secrets(claim, changes)
        if changes.secret is not NOT_GIVEN:
            claim.outcome = claim.errcode = claim.seen_ip = claim.checked_at = None
            claim.closed_at = None
        audit.record(db, tenant_id, actor, "app_claim.secrets_replaced", appid, **told)


@retry_on_conflict
def withdraw_claim(actor: audit.Actor, tenant_id: UUID, appid: str) -> None:
    """Delete a claim and its secrets. Raises AppUnknown."""
    with transaction() as db:
        db.delete(lock_claim(db, tenant_id, appid))
        audit.record(db, tenant_id, actor, "app_claim.withdrawn", appid)


def lock_claim(db: Session, tenant_id: UUID, appid: str) -> AppClaim:
    """Return a claim, locked for a change in the caller's transaction. Raises AppUnknown."""
    return _find(db, tenant_id, appid, lock=True)


def _find(db: Session, tenant_id: UUID, appid: str, *, lock: bool = False) -> AppClaim:
    if not APPID.fullmatch(appid):
        raise AppUnknown
    wanted = select(AppClaim).where(AppClaim.tenant_id == tenant_id, AppClaim.appid == appid)
    claim = db.scalar(wanted.with_for_update() if lock else wanted)
    if claim is None:
        raise AppUnknown
    return claim


def abandoned_claims() -> ColumnElement[bool]:
    """Return the SQL condition for claims that retention deletes: see `CLAIMS_KEPT`."""
    return func.coalesce(AppClaim.closed_at, AppClaim.secret_set_at) < now() - CLAIMS_KEPT
