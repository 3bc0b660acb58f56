"""Retention rules: which rows of each kind are due."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import aliased

from app.clock import now
from app.extensions import Model
from app.models import (
    AppClaim,
    AuditEvent,
    CodeExchange,
    IdempotentRequest,
    LoginSession,
    OperatorSession,
    PasswordTry,
    PlatformAuditEvent,
    SessionKey,
    SigningKey,
    SocialAccount,
    Tenant,
    UserImport,
    WeChatPush,
)
from app.models.audit_event import EventColumns
from app.models.columns import first_id_of
from app.services.apps.claims import abandoned_claims
from app.services.database.idempotency import KEPT_FOR
from app.services.database.transactions import transaction
from app.services.login.code_exchange import CODE_RETENTION
from app.services.pushes.receive import HANDLERS
from app.services.signing.signing_keys import CLOCKS_DIFFER, LONGEST_LIFETIME
from app.services.social_accounts.session_keys import PLAUSIBLE_LIFE

SESSIONS_KEPT = timedelta(days=90)
# Kept without personal data, to detect that a file was imported before.
IMPORTS_KEPT = timedelta(days=90)
# WeChat stops repeating a push long before.
HANDLED_PUSHES_KEPT = timedelta(days=30)
# Pushes of events without a handler, which an operator may read.
UNHANDLED_PUSHES_KEPT = timedelta(days=90)
# For audit events of the platform.
PLATFORM_EVENTS_KEPT = timedelta(days=1095)

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Due:
    """A condition for rows to delete, and conditions that narrow the scan by index.

    The rule concerns the rows of `tenants`, or all rows of a table without tenants. Ids begin with
    the creation time, so `old` excludes recent rows by index.
    """

    useless: Condition
    old: tuple[Condition, ...] = ()
    tenants: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Periods:
    """The retention periods of a tenant."""

    tenant_id: UUID
    visitor_days: int
    audit_days: int


def read_periods() -> Sequence[Periods]:
    """Return the retention periods of all tenants."""
    wanted = select(Tenant.id, Tenant.visitor_days, Tenant.audit_days).order_by(Tenant.id)
    with transaction() as db:
        return [Periods(*row) for row in db.execute(wanted)]


def _of(tenants: Sequence[Periods]) -> Sequence[UUID]:
    return [one.tenant_id for one in tenants]


def _by_period(
    tenants: Sequence[Periods], days_of: Callable[[Periods], int]
) -> Iterator[tuple[timedelta, Sequence[UUID]]]:
    """Yield each period with the tenants that have it."""
    for days, group in groupby(sorted(tenants, key=days_of), key=days_of):
        yield timedelta(days=days), _of([*group])


def _visitors(tenants: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rules for identities without a user and without a recent login.

    `last_login_at` is checked again on the locked row, so a simultaneous login either keeps the
    identity or creates a new one. A recently unbound identity may have an old `last_login_at`; it
    is kept while it has an active session.
    """
    is_logged_in = (
        select(LoginSession.id)
        .where(
            LoginSession.tenant_id == SocialAccount.tenant_id,
            LoginSession.social_account_id == SocialAccount.id,
            LoginSession.ended_at.is_(None),
            LoginSession.expires_at > now(),
        )
        .exists()
    )
    for period, with_period in _by_period(tenants, attrgetter("visitor_days")):
        unused_since = now() - period
        unused = SocialAccount.last_login_at < unused_since
        useless = and_(SocialAccount.user_id.is_(None), unused, ~is_logged_in)
        yield Due(useless, (SocialAccount.id < first_id_of(unused_since),), with_period)


def _sessions(tenants: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rule for sessions that ended or expired longer than `SESSIONS_KEPT` ago."""
    ended_before = now() - SESSIONS_KEPT
    expired = func.greatest(LoginSession.expires_at, LoginSession.refresh_expires_at)
    ended = func.coalesce(LoginSession.ended_at, expired) < ended_before
    yield Due(ended, (LoginSession.id < first_id_of(ended_before),), _of(tenants))


def _audit_events(tenants: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rules for old audit events, by the same clock as the trigger."""
    for period, with_period in _by_period(tenants, attrgetter("audit_days")):
        yield replace(_old_events(AuditEvent, period), tenants=with_period)


def _old_events(table: type[EventColumns], age: timedelta) -> Due:
    return Due(table.created_at < func.now() - age, (table.id < first_id_of(now() - age),))


def _pushes(tenants: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rule for handled pushes and pushes without a handler. Failed pushes are kept."""
    handled_before = now() - HANDLED_PUSHES_KEPT
    unwanted = and_(WeChatPush.handled_at.is_(None), WeChatPush.event.not_in(HANDLERS))
    useless = or_(
        WeChatPush.handled_at < handled_before,
        and_(unwanted, WeChatPush.received_at < now() - UNHANDLED_PUSHES_KEPT),
    )
    yield Due(useless, (WeChatPush.id < first_id_of(handled_before),), _of(tenants))


def _session_keys(tenants: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rule for session_keys that are too old to be tried. The newest key is kept."""
    newer = aliased(SessionKey)
    is_outdone = (
        select(newer.id)
        .where(
            newer.tenant_id == SessionKey.tenant_id,
            newer.social_account_id == SessionKey.social_account_id,
            newer.asked_at > SessionKey.asked_at,
        )
        .exists()
    )
    is_old = SessionKey.asked_at < now() - PLAUSIBLE_LIFE
    yield Due(and_(is_old, is_outdone), tenants=_of(tenants))


def _signing_keys(_: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rule for replaced signing keys without an unexpired JWT."""
    later = aliased(SigningKey)
    is_succeeded = (
        select(later.generation)
        .where(
            later.algorithm == SigningKey.algorithm,
            later.generation > SigningKey.generation,
            later.signs_from < now() - LONGEST_LIFETIME - CLOCKS_DIFFER,
        )
        .exists()
    )
    yield Due(is_succeeded)


def _operator_sessions(_: Sequence[Periods]) -> Iterator[Due]:
    ended_before = now() - SESSIONS_KEPT
    ended = func.coalesce(OperatorSession.ended_at, OperatorSession.expires_at) < ended_before
    yield Due(ended, (OperatorSession.id < first_id_of(ended_before),))


def _people_imports(tenants: Sequence[Periods]) -> Iterator[Due]:
    """Yield the rule for expired previews and old imports."""
    is_over = UserImport.state.in_(("done", "failed"))
    useless = or_(~is_over, UserImport.expires_at < now() - IMPORTS_KEPT)
    yield Due(useless, (UserImport.expires_at < now(),), _of(tenants))


def _code_exchanges(tenants: Sequence[Periods]) -> Iterator[Due]:
    yield Due(true(), (CodeExchange.asked_at < now() - CODE_RETENTION,), _of(tenants))


RULES: dict[str, tuple[type[Model], Callable[[Sequence[Periods]], Iterable[Due]]]] = {
    "visitors": (SocialAccount, _visitors),
    "sessions": (LoginSession, _sessions),
    "audit_events": (AuditEvent, _audit_events),
    "platform_audit_events": (
        PlatformAuditEvent,
        lambda _: [_old_events(PlatformAuditEvent, PLATFORM_EVENTS_KEPT)],
    ),
    "pushes": (WeChatPush, _pushes),
    "session_keys": (SessionKey, _session_keys),
    "signing_keys": (SigningKey, _signing_keys),
    "code_exchanges": (CodeExchange, _code_exchanges),
    "password_tries": (PasswordTry, lambda _: [Due(PasswordTry.forgotten_at < now())]),
    "operator_sessions": (OperatorSession, _operator_sessions),
    "people_imports": (UserImport, _people_imports),
    "app_claims": (AppClaim, lambda _: [Due(abandoned_claims())]),
    "idempotent_requests": (
        IdempotentRequest,
        lambda _: [Due(IdempotentRequest.asked_at < now() - KEPT_FOR)],
    ),
}
