"""Lists of apps and claims for operators, with fingerprints in place of secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import FromClause, case, false, null, select, union_all

from app.errors import AppClaimClosed
from app.models import AppClaim, SessionLimit, Tenant, WeChatApp
from app.models.session_limit import read_session_limit
from app.services.apps.app_verification import Outcome, Verdict, advise
from app.services.apps.errcode_advice import NOT_ASKED
from app.services.apps.secret_marks import SECRETS, SecretMark, mark_of
from app.services.apps.tenants import get_tenant
from app.services.database.transactions import transaction

State = Literal["active", "pending", "closed", "released"]


@dataclass(frozen=True, slots=True)
class TenantApp:
    """An app or a claim as shown to the operators of its tenant, with fingerprints of its secrets.

    Requests are served only if `state` is `active` and `enabled` is true. `verdict` is the result
    of the last verification of a claim, at `checked_at`.
    """

    appid: str
    state: State
    name: str
    registration: str
    data_format: str
    session_limit: SessionLimit
    wechat_call_limit: int | None
    enabled: bool
    created_at: datetime
    secret: SecretMark | None
    next_secret: SecretMark | None
    push_token: SecretMark | None
    encoding_aes_key: SecretMark | None
    verdict: Verdict | None = None
    checked_at: datetime | None = None

    @property
    def is_claim(self) -> bool:
        """Return whether this is a claim, pending or closed, and not an app."""
        return self.state in ("pending", "closed")


class Listed(NamedTuple):
    """A row of `apps_and_claims`. `claim_id` is None for an app."""

    appid: str
    state: State
    name: str
    registration: str
    data_format: str
    max_sessions: int | None
    unlimited_sessions: bool
    wechat_call_limit: int | None
    enabled: bool
    created_at: datetime
    secret_sealed: str | None
    next_secret_sealed: str | None
    push_token_sealed: str | None
    encoding_aes_key_sealed: str | None
    secret_set_at: datetime | None
    next_secret_set_at: datetime | None
    push_secrets_set_at: datetime | None
    claim_id: UUID | None
    outcome: Outcome | None
    errcode: int | None
    seen_ip: str | None
    checked_at: datetime | None
    tenant_id: UUID

    @property
    def is_claim(self) -> bool:
        """Return whether this is a claim, pending or closed, and not an app."""
        return self.claim_id is not None

    @property
    def session_limit(self) -> SessionLimit:
        """Return the session limit as set: a number, "off", or None for the default."""
        return read_session_limit(self.max_sessions, unlimited=self.unlimited_sessions)


def apps_and_claims(tenant_id: UUID | None = None) -> FromClause:
    """Return a subquery of apps and claims, of one tenant or of all, with `Listed` columns."""
    only_apps = ("next_secret_sealed", "next_secret_set_at")
    only_claims = ("claim_id", "outcome", "errcode", "seen_ip", "checked_at")
    of_apps = {
        "state": case((WeChatApp.released_at.is_(None), "active"), else_="released"),
        **dict.fromkeys(only_claims, null()),
    }
    of_claims = {
        "state": case((AppClaim.closed_at.is_(None), "pending"), else_="closed"),
        "enabled": false(),
        "claim_id": AppClaim.id,
        **dict.fromkeys(only_apps, null()),
    }
    apps, claims = select(*_columns(WeChatApp, of_apps)), select(*_columns(AppClaim, of_claims))
    if tenant_id is not None:
        apps = apps.where(WeChatApp.tenant_id == tenant_id)
        claims = claims.where(AppClaim.tenant_id == tenant_id)
    return union_all(apps, claims).subquery("listed")


def list_apps(
    tenant_slug: str | None = None, appid: str | None = None
) -> Sequence[tuple[Listed, str]]:
    """Return apps and claims with the slugs of their tenants, ordered by slug and appid.

    Without a tenant, returns those of all tenants, for platform admins only. Raises TenantUnknown.
    """
    with transaction() as db:
        tenant_id = None if tenant_slug is None else get_tenant(db, tenant_slug).id
        listed = apps_and_claims(tenant_id)
        wanted = select(listed, Tenant.slug).join(Tenant, Tenant.id == listed.c.tenant_id)
        if appid is not None:
            wanted = wanted.where(listed.c.appid == appid)
        ordered = wanted.order_by(Tenant.slug, listed.c.appid)
        return [(Listed(*columns), slug) for *columns, slug in db.execute(ordered)]


def _columns(model: type[WeChatApp | AppClaim], special: dict[str, Any]) -> list[Any]:
    return [
        (special[name] if name in special else getattr(model, name)).label(name)
        for name in Listed._fields
    ]


def shown_app(*columns: Any) -> TenantApp:
    """Return the app or claim of a row of `apps_and_claims`."""
    row = Listed(*columns)
    return TenantApp(
        appid=row.appid,
        state=row.state,
        name=row.name,
        registration=row.registration,
        data_format=row.data_format,
        session_limit=row.session_limit,
        wechat_call_limit=row.wechat_call_limit,
        enabled=row.enabled,
        created_at=row.created_at,
        **{name: _mark(row, name) for name in SECRETS},
        verdict=_verdict(row),
        checked_at=row.checked_at,
    )


def _mark(row: Listed, name: str) -> SecretMark | None:
    sealed, set_at = getattr(row, f"{name}_sealed"), getattr(row, SECRETS[name])
    if row.claim_id is None:
        return mark_of(WeChatApp, name, sealed, set_at, row.appid)
    return mark_of(AppClaim, name, sealed, set_at, row.appid, id=row.claim_id)


def _verdict(row: Listed) -> Verdict | None:
    if row.state == "closed":
        return Verdict("current", "unknown", AppClaimClosed.en)
    if row.state != "pending":
        return None
    if row.outcome is None:
        return Verdict("current", "unknown", NOT_ASKED)
    advice = advise(row.outcome, row.errcode)
    return Verdict("current", row.outcome, advice, row.errcode, row.seen_ip)
