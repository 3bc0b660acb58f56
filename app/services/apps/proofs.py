"""Proving a claim: if WeChat accepts the AppSecret of a claim, the claim becomes an app.

If two tenants prove an appid at the same moment, the primary key of `wechat_apps` decides.
"""

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import AppClaimChanged, AppClaimClosed
from app.errors.sqlstates import violated_constraint
from app.models import AppClaim, Tenant, WeChatApp
from app.not_given import NOT_GIVEN
from app.services import audit
from app.services.apps.app_verification import Verdict, advise, ask_wechat
from app.services.apps.changes import SecretChanges
from app.services.apps.claim_closing import close_claims
from app.services.apps.claims import ClaimedSecret, lock_claim, take_secret
from app.services.apps.errcode_advice import CLAIM_ADVICE
from app.services.apps.secret_marks import put_secrets
from app.services.apps.wechat_calls import proof_client
from app.services.database.transactions import retry_on_deadlock, transaction

# The advisory lock of a transaction that activates an app: "wxpass", 2. Without it, two activations
# would deadlock on Citus, which locks all of `wechat_apps` for the insert, and in a stronger mode
# for the update.
LOCK_ACTIVATIONS = text(f"SELECT pg_advisory_xact_lock({0x77787061737302})")


def prove_claim(actor: audit.Actor, tenant_id: UUID, appid: str) -> Verdict:
    """Verify a claim with WeChat, and activate the app if WeChat accepts the AppSecret.

    Counts the verification. Raises AppUnknown, AppClaimClosed, AppVerificationsTooMany, and the
    exceptions of `prove`.
    """
    return prove(actor, take_secret(tenant_id, appid))


def prove(actor: audit.Actor, claimed: ClaimedSecret) -> Verdict:
    """Verify the AppSecret of a claim that the caller has read. Does not count the verification.

    The claim stays pending unless the outcome is `right`. Raises AppUnknown if the claim was
    withdrawn during the call to WeChat, and AppClaimChanged if its AppSecret was replaced.
    """
    verdict = ask_claimed(claimed)
    if verdict.outcome != "right":
        _store_verdict(claimed, verdict)
        return verdict
    try:
        _activate_proven(actor, claimed)
    except IntegrityError as error:
        if violated_constraint(error) != "pk_wechat_apps":
            raise
        return _store_held_elsewhere(actor, claimed, verdict)
    return verdict


def ask_claimed(claimed: ClaimedSecret) -> Verdict:
    """Verify the AppSecret of a claim with WeChat. Call it without a database connection."""
    return ask_wechat(proof_client(), claimed.appid, claimed.secret, CLAIM_ADVICE)


@retry_on_deadlock
def _activate_proven(actor: audit.Actor, claimed: ClaimedSecret) -> None:
    with transaction() as db:
        activate(db, actor, claimed)


def activate(db: Session, actor: audit.Actor, claimed: ClaimedSecret) -> None:
    """Turn a claim into an app in the caller's transaction. Close all other claims to the appid.

    Activations run one after another. Inserts the app before it locks any claim: a concurrent
    change of a claim never waits for an app. Raises IntegrityError for `pk_wechat_apps` if a tenant
    has the appid.
    """
    db.execute(LOCK_ACTIVATIONS)
    app = WeChatApp(appid=claimed.appid, tenant_id=claimed.tenant_id, name="")
    app.secret = claimed.secret
    db.add(app)
    db.flush()
    claim = lock_unchanged(db, claimed)
    app.name, app.registration, app.data_format = claim.name, claim.registration, claim.data_format
    app.session_limit, app.wechat_call_limit = claim.session_limit, claim.wechat_call_limit
    told = put_secrets(
        app, SecretChanges(claim.secret, NOT_GIVEN, claim.push_token, claim.encoding_aes_key)
    )
    app.secret_set_at, app.push_secrets_set_at = claim.secret_set_at, claim.push_secrets_set_at
    close_claims(db, claimed.tenant_id, claimed.appid)
    audit.record(db, claimed.tenant_id, actor, "app.activated", claimed.appid, after=told["after"])


def lock_unchanged(db: Session, claimed: ClaimedSecret) -> AppClaim:
    """Lock a claim that was read before.

    Raises AppClaimClosed, or AppClaimChanged if the claim or its AppSecret was replaced since.
    """
    claim = lock_claim(db, claimed.tenant_id, claimed.appid)
    if claim.closed_at is not None:
        raise AppClaimClosed
    if claim.id != claimed.claim_id or claim.secret != claimed.secret:
        raise AppClaimChanged
    return claim


@retry_on_deadlock
def _store_verdict(claimed: ClaimedSecret, verdict: Verdict) -> None:
    """Store the verdict, unless the AppSecret was replaced or the claim was closed since."""
    with transaction() as db:
        claim = lock_claim(db, claimed.tenant_id, claimed.appid)
        if claim.id == claimed.claim_id and claim.secret == claimed.secret:
            _set_verdict(claim, verdict)


def _set_verdict(claim: AppClaim, verdict: Verdict) -> None:
    claim.outcome, claim.checked_at = verdict.outcome, now()
    claim.errcode, claim.seen_ip = verdict.errcode, verdict.ip


@retry_on_deadlock
def _store_held_elsewhere(actor: audit.Actor, claimed: ClaimedSecret, right: Verdict) -> Verdict:
    """Store the verdict that the AppSecret is right, but another tenant has the appid.

    The tenant may learn this, because its AppSecret is right. If the other tenant's proof has
    closed the claim in the meantime, reopens the claim with the verified AppSecret, so that a
    platform admin can move the app. Returns `right` if the tenant itself has the app, because it
    proved the claim twice at the same moment.
    """
    mine = select(WeChatApp.appid).where(
        WeChatApp.tenant_id == claimed.tenant_id, WeChatApp.appid == claimed.appid
    )
    with transaction() as db:
        if db.scalar(mine) is not None:
            return right
        claim = lock_claim(db, claimed.tenant_id, claimed.appid)
        if claim.id != claimed.claim_id or claim.secret not in (None, claimed.secret):
            raise AppClaimChanged
        held = Verdict("current", "held_elsewhere", advise("held_elsewhere", None))
        is_news = claim.outcome != held.outcome
        if claim.closed_at is not None:
            put_secrets(claim, SecretChanges(secret=claimed.secret))
            claim.closed_at = None
        _set_verdict(claim, held)
        if is_news:
            _record_held(db, actor, claimed)
    return held


def _record_held(db: Session, actor: audit.Actor, claimed: ClaimedSecret) -> None:
    """Record `app_claim.held_elsewhere` in the audit logs of the tenant and of the platform."""
    slug = db.scalars(select(Tenant.slug).where(Tenant.id == claimed.tenant_id)).one()
    audit.record(db, claimed.tenant_id, actor, "app_claim.held_elsewhere", claimed.appid)
    audit.record(db, None, actor, "app_claim.held_elsewhere", claimed.appid, tenant=slug)
