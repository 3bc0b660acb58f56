"""Checks of an operator's password, and of the one-time code if codes are enrolled."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import OneTimeCodeNeeded, SignInWrong
from app.models import Operator, Tenant
from app.services.database.transactions import transaction
from app.services.operators.locks import lock_operator
from app.services.operators.one_time_codes import count_code, use_code
from app.services.operators.operators import OPERATORS
from app.services.passwords.hashing import is_password
from app.services.passwords.hashing_queue import Lane, hashing_queue
from app.services.passwords.login_throttling import count_try, record_success, sweep
from app.services.principals import Device
from app.text_cleaning import email_name


def prove_password(email: str, password: str, device: Device) -> Operator:
    """Return the operator with this e-mail address and password.

    Waits for a free hashing slot. No connection is held while waiting and hashing. Raises
    SignInWrong, after the same work for every cause, TooManyTries or PasswordsBusy.
    """
    name = email_name(email)
    wanted = select(Operator, Tenant.status).outerjoin(Tenant).where(Operator.email == name)
    with hashing_queue().turn(Lane.OPERATORS, OPERATORS, device):
        with transaction() as db:
            tried = count_try(db, OPERATORS, name, device)
            operator, tenant_status = db.execute(wanted).one_or_none() or (None, None)
        is_right = is_password(password, operator.password_hash if operator else None)
        with transaction() as db:
            record_success(db, tried) if is_right else sweep(db)
    if operator is None or not is_right or "disabled" in (operator.status, tenant_status):
        raise SignInWrong
    return operator


def prove_code(proven: Operator, code: str | None, device: Device) -> None:
    """Use up a one-time code or a recovery code, if the operator has codes enrolled.

    Raises OneTimeCodeNeeded, OneTimeCodeWrong or TooManyTries.
    """
    if proven.totp_step is None:
        return
    if code is None:
        raise OneTimeCodeNeeded
    tried = count_code(proven.id, device)
    with transaction() as db:
        use_code(db, proven.id, code, tried, device)


def lock_proven(db: Session, proven: Operator) -> Operator:
    """Lock the operator after the password was proven.

    Raises SignInWrong if the password was changed, the operator was disabled, or codes were
    enrolled since then.
    """
    operator = lock_operator(db, proven.id)
    is_same = operator.password_hash == proven.password_hash and operator.status == "active"
    if not is_same or (operator.totp_step is not None and proven.totp_step is None):
        raise SignInWrong
    return operator
