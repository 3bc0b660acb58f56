"""Tokens of scripts: a JWT that is valid for 15 minutes, and a rotating refresh token.

Each request looks up the session of the JWT, so changes of the session take effect immediately.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from flask_jwt_extended import create_access_token
from sqlalchemy import select

from app.clock import now
from app.errors import RefreshTokenExpired, RefreshTokenInvalid, RefreshTokenReused
from app.models import Operator, OperatorSession
from app.services import audit
from app.services.database.transactions import transaction
from app.services.operators.sign_in import ScriptSignIn, sign_script_in
from app.services.principals import Device
from app.services.sessions.tokens import RefreshToken
from app.services.signing.jwts import Signed
from app.services.signing.signing_keys import OPERATOR_JWT_LIFETIME, signing_key


@dataclass(frozen=True, slots=True)
class OperatorTokens:
    """The tokens of a script. `expires_in` is the lifetime of the JWT in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int = int(OPERATOR_JWT_LIFETIME / timedelta(seconds=1))


def open_script_session(
    email: str, password: str, code: str | None, device: Device
) -> OperatorTokens:
    """Open a session for a script. Raises what `sign_script_in` raises."""
    return _tokens(sign_script_in(email, password, code, device))


def refresh_operator_tokens(refresh_token: str, device: Device) -> OperatorTokens:
    """Exchange a refresh token for new tokens. A refresh token can be used once.

    Reuse ends the session and is audited. Raises RefreshTokenInvalid, RefreshTokenExpired or
    RefreshTokenReused.
    """
    shown = RefreshToken.parsed(refresh_token)
    if shown is None:
        raise RefreshTokenInvalid
    fresh = shown.rotated()
    with transaction() as db:
        wanted = select(OperatorSession, Operator).join(Operator)
        wanted = wanted.where(OperatorSession.token_hash == shown.family_hash)
        row = db.execute(wanted.with_for_update(of=OperatorSession)).one_or_none()
        if row is None or row[0].kind != "script" or row[0].ended_at is not None:
            raise RefreshTokenInvalid
        session, operator = row
        if session.expires_at <= now():
            raise RefreshTokenExpired
        is_current = shown.is_current(session.refresh_hash)
        if is_current:
            session.refresh_hash, session.ip = fresh.rotating_hash, device.ip
        else:
            actor = audit.Actor("operator", operator.id, device.ip)
            session.ended_at, session.end_reason = now(), "token_reused"
            audit.record(db, operator.tenant_id, actor, "operator.token_reused", session.id)
    if not is_current:
        raise RefreshTokenReused
    return _tokens(ScriptSignIn(session.id, operator.id, str(fresh)))


def _tokens(session: ScriptSignIn) -> OperatorTokens:
    return OperatorTokens(_jwt(session.operator_id, session.session_id), session.refresh_token)


def _jwt(operator_id: UUID, session_id: UUID) -> str:
    signed = Signed(str(operator_id), signing_key())
    claims = {"operator_session": str(session_id)}
    return str(create_access_token(signed, False, OPERATOR_JWT_LIFETIME, claims))
