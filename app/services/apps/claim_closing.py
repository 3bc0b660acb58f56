"""Closing all claims to an appid once a tenant has proven it (docs/decisions/0023)."""

from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import AppClaim
from app.services import audit

# The columns that closing a claim sets to NULL: its secrets and the verdict on its AppSecret.
EMPTIED = dict.fromkeys(
    (
        *("secret_sealed", "push_token_sealed", "encoding_aes_key_sealed"),
        *("secret_set_at", "push_secrets_set_at"),
        *("outcome", "errcode", "seen_ip", "checked_at"),
    )
)


def close_claims(db: Session, tenant_id: UUID, appid: str) -> None:
    """Delete the claim of the tenant that has the appid now, and close other tenants' claims.

    The caller must have inserted the app in the same transaction, so that two tenants that prove
    an appid at the same moment never wait for each other's claims. A claim with the outcome
    `held_elsewhere` stays open, because its AppSecret is right. The audit logs of the other tenants
    record that their claims were closed, but not which tenant has the appid.
    """
    own = (AppClaim.tenant_id == tenant_id, AppClaim.appid == appid)
    db.execute(delete(AppClaim).where(*own))
    others = (
        AppClaim.appid == appid,
        AppClaim.tenant_id != tenant_id,
        AppClaim.closed_at.is_(None),
        AppClaim.outcome.is_distinct_from("held_elsewhere"),
    )
    closing = update(AppClaim).where(*others).values(closed_at=now(), **EMPTIED)
    closed = closing.returning(AppClaim.tenant_id).execution_options(synchronize_session=False)
    for other in db.scalars(closed).all():
        audit.record(db, other, audit.SYSTEM, "app_claim.closed", appid)
