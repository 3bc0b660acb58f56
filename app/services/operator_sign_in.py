"""Signing operators in: e-mail and password, then a one-time code where it is switched on."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import OneTimeCodeNeeded, SignInNeeded, SignInWrong
from app.models import Operator, OperatorSession, Tenant
from app.services import audit
from app.services.one_time_codes import count_code, use_code
from app.services.operator_sessions import (
    CONSOLE_LIFETIME,
    is_expired,
    open_operator_session,
)
from app.services.operators import OPERATORS, email_name, lock_operator
from app.services.password_tries import count_try, sweep, take_back
from app.services.passwords import is_password
from app.services.sessions import Device
from app.services.tokens import RefreshToken, new_console_token, token_hash
from app.services.transactions import transaction


@dataclass(frozen=True, slots=True)
class ConsoleSignIn:
    """The cookie's token, and whether a one-time code is still asked for."""

    token: str = field(repr=False)
    awaits_code: bool


@dataclass(frozen=True, slots=True)
class ScriptSignIn:
    """The session of a script: whose it is, and the refresh token that keeps it."""

    session_id: UUID
    operator_id: UUID
    refresh_token: str = field(repr=False)


def sign_in(email: str, password: str, device: Device) -> ConsoleSignIn:
    """Open a console session; with one-time codes it may do nothing before `confirm_code`.

    Raises SignInWrong, whatever of it is wrong, after the same work; TooManyTries.
    """
    proven = _prove(email, password, device)
    token = new_console_token()
    with transaction() as db:
        operator = _still(db, proven)
        session = open_operator_session(db, operator, "console", device, token)
        if not session.awaits_code:
            _note(db, operator, device)
        return ConsoleSignIn(token, session.awaits_code)


def confirm_code(token: str, code: str, device: Device) -> ConsoleSignIn:
    """Complete a sign-in with a one-time code, under a new token.

    Raises SignInNeeded when the password was too long ago, OneTimeCodeWrong, TooManyTries.
    """
    with transaction() as db:
        session = _lock_awaiting(db, token)
        operator_id = session.operator_id
    tried = count_code(operator_id, device)
    fresh = new_console_token()
    with transaction() as db:
        operator = use_code(db, operator_id, code, tried)
        session = _lock_awaiting(db, token)
        session.token_hash, session.awaits_code = token_hash(fresh), False
        session.expires_at = now() + CONSOLE_LIFETIME
        _note(db, operator, device)
    return ConsoleSignIn(fresh, False)


def _lock_awaiting(db: Session, token: str) -> OperatorSession:
    wanted = select(OperatorSession).where(OperatorSession.token_hash == token_hash(token))
    session = db.scalar(wanted.with_for_update())
    if session is None or session.ended_at or not session.awaits_code or is_expired(session):
        raise SignInNeeded
    return session


def sign_script_in(email: str, password: str, code: str | None, device: Device) -> ScriptSignIn:
    """Open a session for a script, with the one-time code at once where it is switched on.

    Raises SignInWrong, OneTimeCodeNeeded, OneTimeCodeWrong, TooManyTries.
    """
    proven = _prove(email, password, device)
    pair = RefreshToken.random()
    if proven.totp_step is not None:
        _check_code(proven.id, code, device)
    with transaction() as db:
        operator = _still(db, proven)
        session = open_operator_session(
            db, operator, "script", device, pair.family, pair.rotating_hash
        )
        _note(db, operator, device)
        return ScriptSignIn(session.id, operator.id, str(pair))


def _check_code(operator_id: UUID, code: str | None, device: Device) -> None:
    if code is None:
        raise OneTimeCodeNeeded
    tried = count_code(operator_id, device)
    with transaction() as db:
        use_code(db, operator_id, code, tried)


def _prove(email: str, password: str, device: Device) -> Operator:
    """Read the operator whose password is right; no connection is held while hashing."""
    name = email_name(email)
    with transaction() as db:
        tried = count_try(db, OPERATORS, name, device)
        wanted = select(Operator, Tenant.status).outerjoin(Tenant).where(Operator.email == name)
        operator, tenant_status = db.execute(wanted).one_or_none() or (None, None)
    is_right = is_password(password, operator.password_hash if operator else None)
    with transaction() as db:
        take_back(db, tried) if is_right else sweep(db)
    if operator is None or not is_right or "disabled" in (operator.status, tenant_status):
        raise SignInWrong
    return operator


def _still(db: Session, proven: Operator) -> Operator:
    """Lock whom a password proved; raise SignInWrong if it has been changed or reset since."""
    operator = lock_operator(db, proven.id)
    if operator.password_hash != proven.password_hash or operator.status != "active":
        raise SignInWrong
    return operator


def _note(db: Session, operator: Operator, device: Device) -> None:
    this = update(Operator).where(Operator.id == operator.id)
    db.execute(this.values(signed_in_at=now()).execution_options(synchronize_session=False))
    actor = audit.Actor("operator", operator.id, device.ip)
    audit.record(db, operator.tenant_id, actor, "operator.signed_in", operator.id)
