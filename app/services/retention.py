"""Retention: delete rows that are due, in small batches with a short transaction each.

Simultaneous runs share the work: rows that another run has locked are skipped.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, delete, func, inspect, or_, select
from sqlalchemy.orm import Session, aliased

from app.clock import now
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
    User,
    UserImport,
    WeChatPush,
)
from app.models.audit_event import EventColumns
from app.models.columns import first_id_of
from app.services import audit
from app.services.apps.claims import abandoned_claims
from app.services.database.idempotency import KEPT_FOR
from app.services.database.transactions import lift_timeouts, retry_on_conflict, transaction
from app.services.login.code_exchange import CODE_RETENTION
from app.services.metrics.old_counts import count_old_counts, drop_old_counts
from app.services.privacy.erasure import allow_audit_changes, erase, erase_unused
from app.services.privacy.personal_data import lock_personal_data
from app.services.pushes.receive import HANDLERS
from app.services.signing.signing_keys import CLOCKS_DIFFER, LONGEST_LIFETIME
from app.services.social_accounts.session_keys import PLAUSIBLE_LIFE

log = structlog.get_logger()

AT_ONCE = 500
# The key under which a run yields the number of its failed steps.
FAILED = "failed"

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
# A description for the log, and an iterator that does the work and yields the count of each batch.
Step = tuple[str, Iterator[int]]


@dataclass(frozen=True, slots=True)
class Due:
    """A condition for rows to delete, and conditions on their primary key that narrow the scan.

    Ids begin with the creation time, so `old` excludes recent rows by index.
    """

    useless: Condition
    old: tuple[Condition, ...] = ()


def run_retention(*, dry_run: bool = False) -> Iterator[tuple[str, int]]:
    """Delete rows that are due, or count them in a dry run. Yield each kind and its number of rows.

    A failed step is logged and retried by the next run. The number of failed steps is yielded last,
    as FAILED.
    """
    failures = 0
    for kind, steps in _kinds(dry_run):
        done = 0
        for about, step in steps:
            try:
                for count in step:
                    done += count
            except Exception as error:
                failures += 1
                log.error("retention_failed", kind=kind, about=about, exc_info=error)
        yield kind, done
    yield FAILED, failures


def _kinds(dry_run: bool) -> Iterator[tuple[str, Iterator[Step]]]:
    """Yield each kind with its steps. A failed step does not stop the other steps."""
    closed = _closed_accounts()
    erasing = ((f"user {user_id}", _erasing(of, user_id)) for of, user_id in closed)
    yield "closed_accounts", iter([("", iter([len(closed)]))]) if dry_run else erasing
    act = _counting if dry_run else _removing
    for kind, (table, dues) in RULES.items():
        yield kind, ((table.__tablename__, act(table, due)) for due in dues())
    counts = count_old_counts() if dry_run else drop_old_counts(AT_ONCE)
    yield "counts", iter([("counts of days", counts)])


def _closed_accounts() -> Sequence[tuple[UUID, UUID]]:
    due = select(User.tenant_id, User.id).where(User.erase_after <= now())
    with transaction() as db:
        return [(tenant_id, user_id) for tenant_id, user_id in db.execute(due)]


def _erasing(tenant_id: UUID, user_id: UUID) -> Iterator[int]:
    yield int(_erase(tenant_id, user_id))


@retry_on_conflict
def _erase(tenant_id: UUID, user_id: UUID) -> bool:
    """Erase a closed account, unless its user has just logged in or another run has erased it."""
    with transaction() as db:
        held = lock_personal_data(db, tenant_id, user_id)
        still = select(User.id).where(User.tenant_id == tenant_id, User.id == user_id)
        if db.scalar(still.where(User.erase_after <= now())) is None:
            return False
        erase(db, held, audit.SYSTEM)
        return True


def _counting(table: Any, due: Due) -> Iterator[int]:
    counted = select(func.count()).select_from(table).where(*due.old, due.useless)
    with transaction() as db:
        lift_timeouts(db)
        count = db.scalars(counted).one()
    yield count


def _removing(table: Any, due: Due) -> Iterator[int]:
    """Scan the old rows in the order of the primary key, and delete the due rows among them.

    No statement scans more than `AT_ONCE` rows. Yields the number of rows that each batch deleted.
    """
    (key,) = inspect(table).local_table.primary_key
    rest: tuple[Condition, ...] = due.old
    while True:
        end = select(key).where(*rest).order_by(key).offset(AT_ONCE - 1).limit(1)
        with transaction() as db:
            last = db.scalar(end)
        few = rest if last is None else (*rest, key <= last)
        yield _remove_few(table, key, *few, due.useless)
        if last is None:
            return
        rest = (*due.old, key > last)


def _remove_few(table: Any, key: Any, *which: Condition) -> int:
    few = select(key).where(*which).with_for_update(skip_locked=True)
    with transaction() as db:
        keys = db.scalars(few).all()
        if table is SocialAccount:
            erase_unused(db, keys)
            return len(keys)
        with _allowed(db, table):
            db.execute(delete(table).where(key.in_(keys)))
        return len(keys)


def _allowed(db: Session, table: Any) -> Any:
    return allow_audit_changes(db) if issubclass(table, EventColumns) else nullcontext()


def _visitors() -> Iterator[Due]:
    """Yield, per tenant, the rule for identities without a user and without a recent login.

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
    with transaction() as db:
        kept = db.execute(select(Tenant.id, Tenant.visitor_days)).all()
    for tenant_id, days in kept:
        unused_since = now() - timedelta(days=days)
        unused = SocialAccount.last_login_at < unused_since
        of_tenant, was_made = SocialAccount.tenant_id == tenant_id, first_id_of(unused_since)
        useless = and_(SocialAccount.user_id.is_(None), unused, ~is_logged_in)
        yield Due(useless, (of_tenant, SocialAccount.id < was_made))


def _sessions() -> Iterator[Due]:
    """Yield the rule for sessions that ended or expired longer than `SESSIONS_KEPT` ago."""
    ended_before = now() - SESSIONS_KEPT
    expired = func.greatest(LoginSession.expires_at, LoginSession.refresh_expires_at)
    ended = func.coalesce(LoginSession.ended_at, expired) < ended_before
    yield Due(ended, (LoginSession.id < first_id_of(ended_before),))


def _audit_events() -> Iterator[Due]:
    """Yield, per tenant, the rule for old audit events, by the same clock as the trigger."""
    with transaction() as db:
        kept = db.execute(select(Tenant.id, Tenant.audit_days)).all()
    for tenant_id, days in kept:
        yield _old_events(AuditEvent, timedelta(days=days), AuditEvent.tenant_id == tenant_id)


def _old_events(table: type[EventColumns], age: timedelta, *which: Condition) -> Due:
    return Due(table.created_at < func.now() - age, (*which, table.id < first_id_of(now() - age)))


def _pushes() -> Iterator[Due]:
    """Yield the rule for handled pushes and pushes without a handler. Failed pushes are kept."""
    handled_before = now() - HANDLED_PUSHES_KEPT
    unwanted = and_(WeChatPush.handled_at.is_(None), WeChatPush.event.not_in(HANDLERS))
    useless = or_(
        WeChatPush.handled_at < handled_before,
        and_(unwanted, WeChatPush.received_at < now() - UNHANDLED_PUSHES_KEPT),
    )
    yield Due(useless, (WeChatPush.id < first_id_of(handled_before),))


def _session_keys() -> Iterator[Due]:
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
    yield Due(and_(SessionKey.asked_at < now() - PLAUSIBLE_LIFE, is_outdone))


def _signing_keys() -> Iterator[Due]:
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


def _operator_sessions() -> Iterator[Due]:
    ended_before = now() - SESSIONS_KEPT
    ended = func.coalesce(OperatorSession.ended_at, OperatorSession.expires_at) < ended_before
    yield Due(ended, (OperatorSession.id < first_id_of(ended_before),))


def _people_imports() -> Iterator[Due]:
    """Yield the rule for expired previews and old imports."""
    is_over = UserImport.state.in_(("done", "failed"))
    expired = and_(~is_over, UserImport.expires_at < now())
    yield Due(or_(expired, UserImport.expires_at < now() - IMPORTS_KEPT))


RULES: dict[str, tuple[Any, Callable[[], Iterable[Due]]]] = {
    "visitors": (SocialAccount, _visitors),
    "sessions": (LoginSession, _sessions),
    "audit_events": (AuditEvent, _audit_events),
    "platform_audit_events": (
        PlatformAuditEvent,
        lambda: [_old_events(PlatformAuditEvent, PLATFORM_EVENTS_KEPT)],
    ),
    "pushes": (WeChatPush, _pushes),
    "session_keys": (SessionKey, _session_keys),
    "signing_keys": (SigningKey, _signing_keys),
    "code_exchanges": (CodeExchange, lambda: [Due(CodeExchange.asked_at < now() - CODE_RETENTION)]),
    "password_tries": (PasswordTry, lambda: [Due(PasswordTry.forgotten_at < now())]),
    "operator_sessions": (OperatorSession, _operator_sessions),
    "people_imports": (UserImport, _people_imports),
    "app_claims": (AppClaim, lambda: [Due(abandoned_claims())]),
    "idempotent_requests": (
        IdempotentRequest,
        lambda: [Due(IdempotentRequest.asked_at < now() - KEPT_FOR)],
    ),
}
