"""Closing the claims to an appid once one tenant has it (docs/decisions/0023)."""

from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.clock import now
from app.models import AppClaim
from app.services import audit

# What a closed claim says no more: its secrets, and what WeChat said of them.
EMPTIED = dict.fromkeys(
    (
        *("secret_sealed", "push_token_sealed", "encoding_aes_key_sealed"),
        *("secret_set_at", "push_secrets_set_at"),
        *("outcome", "errcode", "seen_ip", "checked_at"),
    )
)


def close_claims(db: Session, tenant_id: UUID, appid: str) -> None:
    """Delete the claim of the tenant that has the appid now, and close those of all others.

    The caller's transaction has inserted the app before, so that two tenants that prove an appid
    at the same moment never wait for each other's claims. Claims with an AppSecret that
    WeChat accepted stay: their tenants know that another one has the appid. The audit logs of the
    other tenants say that the claim was closed, and not by which proof.
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
