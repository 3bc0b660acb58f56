"""A tenant's mini-programs as operators see them: apps and claims in one list, without secrets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import FromClause, case, false, null, select, union_all

from app.errors import AppClaimClosed
from app.models import AppClaim, SessionLimit, WeChatApp
from app.models.session_limit import read_session_limit
from app.services.apps.app_verification import NOT_ASKED, Outcome, Verdict, advise
from app.services.apps.secret_marks import SECRETS, SecretMark, mark_of

State = Literal["active", "pending", "closed", "released"]


@dataclass(frozen=True, slots=True)
class TenantApp:
    """A mini-program as its tenant's operators see it: of each secret only that it is there.

    Only an `active` one serves requests, if it is enabled. `verdict` is what WeChat said of a
    claim when it was last asked, at `checked_at`.
    """

    appid: str
    state: State
    name: str
    registration: str
    data_format: str
    session_limit: SessionLimit
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
        """Tell whether its AppSecret is not proven."""
        return self.state in ("pending", "closed")


class Listed(NamedTuple):
    """A row of `apps_and_claims`; only a claim has a `claim_id`."""

    appid: str
    state: State
    name: str
    registration: str
    data_format: str
    max_sessions: int | None
    unlimited_sessions: bool
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


def apps_and_claims(tenant_id: UUID) -> FromClause:
    """Select the tenant's apps and claims with the columns of `Listed`, in one statement."""
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
    return union_all(
        select(*_columns(WeChatApp, of_apps)).where(WeChatApp.tenant_id == tenant_id),
        select(*_columns(AppClaim, of_claims)).where(AppClaim.tenant_id == tenant_id),
    ).subquery("listed")


def _columns(model: type[WeChatApp | AppClaim], special: dict[str, Any]) -> list[Any]:
    return [
        (special[name] if name in special else getattr(model, name)).label(name)
        for name in Listed._fields
    ]


def shown_app(*columns: Any) -> TenantApp:
    """Show a row of `apps_and_claims`."""
    row = Listed(*columns)
    return TenantApp(
        appid=row.appid,
        state=row.state,
        name=row.name,
        registration=row.registration,
        data_format=row.data_format,
        session_limit=read_session_limit(row.max_sessions, unlimited=row.unlimited_sessions),
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
