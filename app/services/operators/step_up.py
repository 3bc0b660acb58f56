"""Step-up authentication: sensitive actions need a recent proof of password and code."""

from datetime import timedelta

from sqlalchemy import update

from app.clock import now
from app.errors import PasswordWrong, SignInNeeded, SignInWrong, StepUpRequired
from app.models import Operator, OperatorSession
from app.services.database.transactions import transaction
from app.services.operators.failed_sign_ins import STEP_UP_FAILED, noting
from app.services.operators.proofs import lock_proven, prove_code, prove_password
from app.services.operators.sessions import SignedIn
from app.services.principals import Device

STEP_UP_LIFETIME = timedelta(minutes=5)


def require_step_up(signed_in: SignedIn) -> None:
    """Raise StepUpRequired if the session's last proof is `STEP_UP_LIFETIME` or older."""
    if now() - signed_in.proven_at >= STEP_UP_LIFETIME:
        raise StepUpRequired


def step_up(signed_in: SignedIn, password: str, code: str | None, device: Device) -> None:
    """Check the password again, and the code if codes are enrolled, and renew the session's proof.

    Raises PasswordWrong, OneTimeCodeNeeded, OneTimeCodeWrong, TooManyTries, or SignInNeeded if
    the session has ended.
    """
    with noting(STEP_UP_FAILED, signed_in.operator_id, device.ip):
        _prove(signed_in, password, code, device)


def _prove(signed_in: SignedIn, password: str, code: str | None, device: Device) -> None:
    try:
        proven = prove_password(signed_in.email, password, device)
        prove_code(proven, code, device)
        _store_proof(signed_in, proven)
    except SignInWrong:
        raise PasswordWrong from None


def _store_proof(signed_in: SignedIn, proven: Operator) -> None:
    this = update(OperatorSession).where(
        OperatorSession.id == signed_in.session_id,
        OperatorSession.operator_id == proven.id,
        OperatorSession.ended_at.is_(None),
    )
    with transaction() as db:
        lock_proven(db, proven)
        stored = this.values(proven_at=now()).returning(OperatorSession.id)
        if db.scalar(stored.execution_options(synchronize_session=False)) is None:
            raise SignInNeeded
