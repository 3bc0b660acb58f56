"""Sign-in of operators: e-mail address and password, then a one-time code if enrolled."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import SignInNeeded
from app.models import Operator, OperatorSession
from app.services import audit
from app.services.database.transactions import transaction
from app.services.operators.failed_sign_ins import SIGN_IN_FAILED, noting
from app.services.operators.one_time_codes import count_code, use_code
from app.services.operators.proofs import lock_proven, prove_code, prove_password
from app.services.operators.sessions import (
    CONSOLE_LIFETIME,
    is_expired,
    open_operator_session,
)
from app.services.principals import Device
from app.services.sessions.tokens import RefreshToken, new_console_token, token_hash
from app.text_cleaning import email_name


@dataclass(frozen=True, slots=True)
class ConsoleSignIn:
    """The token for the cookie, and whether a one-time code is still required."""

    token: str = field(repr=False)
    awaits_code: bool


@dataclass(frozen=True, slots=True)
class ScriptSignIn:
    """The session of a script, its operator and its refresh token."""

    session_id: UUID
    operator_id: UUID
    refresh_token: str = field(repr=False)


def sign_in(email: str, password: str, device: Device) -> ConsoleSignIn:
    """Open a console session. With one-time codes it is unusable until `confirm_code`.

    Raises what `prove_password` raises.
    """
    with noting(SIGN_IN_FAILED, email_name(email), device.ip):
        proven = prove_password(email, password, device)
    token = new_console_token()
    with transaction() as db:
        operator = lock_proven(db, proven)
        session = open_operator_session(db, operator, "console", device, token)
        if not session.awaits_code:
            _note(db, operator, device)
        return ConsoleSignIn(token, session.awaits_code)


def confirm_code(token: str, code: str, device: Device) -> ConsoleSignIn:
    """Complete a sign-in with a one-time code, and return a new token.

    Raises OneTimeCodeWrong, TooManyTries, or SignInNeeded if the password was proven too long ago.
    """
    with transaction() as db:
        session = _lock_awaiting(db, token)
        operator_id = session.operator_id
    fresh = new_console_token()
    with noting(SIGN_IN_FAILED, operator_id, device.ip):
        _complete(token, operator_id, code, fresh, device)
    return ConsoleSignIn(fresh, False)


def _complete(token: str, operator_id: UUID, code: str, fresh: str, device: Device) -> None:
    tried = count_code(operator_id, device)
    with transaction() as db:
        operator = use_code(db, operator_id, code, tried, device)
        session = _lock_awaiting(db, token)
        session.token_hash, session.awaits_code = token_hash(fresh), False
        session.proven_at = now()
        session.expires_at = session.proven_at + CONSOLE_LIFETIME
        _note(db, operator, device)


def _lock_awaiting(db: Session, token: str) -> OperatorSession:
    wanted = select(OperatorSession).where(OperatorSession.token_hash == token_hash(token))
    session = db.scalar(wanted.with_for_update())
    if session is None or session.ended_at or not session.awaits_code or is_expired(session):
        raise SignInNeeded
    return session


def sign_script_in(email: str, password: str, code: str | None, device: Device) -> ScriptSignIn:
    """Open a session for a script. A one-time code is required if the operator has enrolled.

    Raises SignInWrong, OneTimeCodeNeeded, OneTimeCodeWrong or TooManyTries.
    """
    with noting(SIGN_IN_FAILED, email_name(email), device.ip):
        proven = prove_password(email, password, device)
        prove_code(proven, code, device)
    pair = RefreshToken.random()
    with transaction() as db:
        operator = lock_proven(db, proven)
        session = open_operator_session(
            db, operator, "script", device, pair.family, pair.rotating_hash
        )
        _note(db, operator, device)
        return ScriptSignIn(session.id, operator.id, str(pair))


def _note(db: Session, operator: Operator, device: Device) -> None:
    this = update(Operator).where(Operator.id == operator.id)
    db.execute(this.values(signed_in_at=now()).execution_options(synchronize_session=False))
    actor = audit.Actor("operator", operator.id, device.ip)
    audit.record(db, operator.tenant_id, actor, "operator.signed_in", operator.id)
