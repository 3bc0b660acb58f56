"""One-time codes of an authenticator app (TOTP, RFC 6238): enrolment, use and removal."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pyotp
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    EnrolmentNotBegun,
    OneTimeCodeNeeded,
    OneTimeCodesOff,
    OneTimeCodesOn,
    OneTimeCodeWrong,
)
from app.models import Operator
from app.services import audit
from app.services.database.transactions import transaction
from app.services.operators.failed_sign_ins import CODE_FAILED, noting
from app.services.operators.locks import lock_operator, lock_signed_in
from app.services.operators.recovery_codes import (
    issue_recovery_codes,
    plain_code,
    use_recovery_code,
    void_recovery_codes,
)
from app.services.operators.sessions import SignedIn, drop_pending_secret, end_sessions_of
from app.services.passwords.login_throttling import Limit, Try, count_try, record_success
from app.services.principals import Device

# Failed codes are counted under their own id. The account of a failed password is free text, which
# could equal an operator's id.
CODES = UUID(int=1)
# A client that enters codes knows the password, so a stricter limit cannot be used to lock out the
# owner. An attacker with many addresses has about 100 tries a day. 3 of a million codes are valid.
TRIES = Limit(free=10, forgets_every=900, longest=900)
STEP_SECONDS = 30
# The previous and the next code are valid too, because clocks of phones differ by seconds.
STEPS_OFF = (-1, 0, 1)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The secret for an authenticator app, and the URI for its QR code."""

    uri: str = field(repr=False)
    secret: str = field(repr=False)


def begin_enrolment(signed_in: SignedIn) -> Enrolment:
    """Return the secret to enrol. It stays the same until it is confirmed or cancelled.

    Ending sessions of the operator cancels it. Raises OneTimeCodesOn, or SignInNeeded if the
    session has ended.
    """
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        if operator.totp_step is not None:
            raise OneTimeCodesOn
        if operator.totp is None:
            operator.totp = pyotp.random_base32()
        return _enrolment(operator, operator.totp)


def find_pending_enrolment(operator_id: UUID) -> Enrolment | None:
    """Return the pending enrolment, or None."""
    with transaction() as db:
        operator = db.get(Operator, operator_id)
        if operator is None or operator.totp is None or operator.totp_step is not None:
            return None
        return _enrolment(operator, operator.totp)


def _enrolment(operator: Operator, secret: str) -> Enrolment:
    totp = pyotp.TOTP(secret, name=operator.email, issuer="wxpass")
    return Enrolment(totp.provisioning_uri(), secret)


def cancel_enrolment(signed_in: SignedIn) -> None:
    """Drop a pending secret. Without one, nothing changes.

    Raises SignInNeeded if the session has ended.
    """
    with transaction() as db:
        drop_pending_secret(lock_signed_in(db, signed_in))


def confirm_enrolment(signed_in: SignedIn, code: str) -> Sequence[str]:
    """Enable one-time codes, and return ten recovery codes. Only this call returns them.

    The operator's other sessions end. Raises EnrolmentNotBegun, OneTimeCodesOn, OneTimeCodeWrong,
    TooManyTries, or SignInNeeded if the session has ended.
    """
    with noting(CODE_FAILED, signed_in.operator_id, signed_in.ip):
        return _confirm(signed_in, plain_code(code))


def _confirm(signed_in: SignedIn, code: str) -> Sequence[str]:
    tried = count_code(signed_in.operator_id, Device(None, signed_in.ip))
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        if operator.totp_step is not None:
            raise OneTimeCodesOn
        if operator.totp is None:
            raise EnrolmentNotBegun
        if not _use_one_time_code(operator, code):
            raise OneTimeCodeWrong
        record_success(db, tried)
        end_sessions_of(db, operator, "codes_enrolled", keep=signed_in.session_id)
        _record(db, signed_in, operator, "operator.codes_on", is_on=True)
        return issue_recovery_codes(db, operator.id)


def remove_own_codes(signed_in: SignedIn, code: str) -> None:
    """Disable one-time codes and delete the recovery codes. The other sessions end.

    `code` is a one-time code or a recovery code. Raises OneTimeCodesOff, OneTimeCodeWrong,
    TooManyTries, or SignInNeeded if the session has ended.
    """
    with noting(CODE_FAILED, signed_in.operator_id, signed_in.ip):
        _remove(signed_in, code)


def _remove(signed_in: SignedIn, code: str) -> None:
    device = Device(None, signed_in.ip)
    tried = count_code(signed_in.operator_id, device)
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        if operator.totp_step is None:
            raise OneTimeCodesOff
        use_code(db, operator.id, code, tried, device)
        remove_codes(db, operator)
        end_sessions_of(db, operator, "codes_removed", keep=signed_in.session_id)
        _record(db, signed_in, operator, "operator.codes_off", is_on=False)


def cancel_or_remove_codes(signed_in: SignedIn, code: str | None) -> None:
    """Cancel a pending enrolment, or remove codes that are enrolled.

    Raises OneTimeCodeNeeded if codes are enrolled and `code` is missing, or what
    `remove_own_codes` raises.
    """
    with transaction() as db:
        is_on = lock_operator(db, signed_in.operator_id).totp_step is not None
    if not is_on:
        cancel_enrolment(signed_in)
    elif code is None:
        raise OneTimeCodeNeeded
    else:
        remove_own_codes(signed_in, code)


def remove_codes(db: Session, operator: Operator) -> None:
    """Remove the secret and the recovery codes. The caller has locked the operator."""
    operator.totp_sealed = operator.totp_step = None
    void_recovery_codes(db, operator.id)


def count_code(operator_id: UUID, device: Device) -> Try:
    """Count an attempt with an operator's code before it is checked. Raise TooManyTries."""
    with transaction() as db:
        return count_try(db, CODES, str(operator_id), device, TRIES)


def use_code(db: Session, operator_id: UUID, code: str, tried: Try, device: Device) -> Operator:
    """Use up a one-time code or a recovery code. Lock and return the operator.

    A one-time code invalidates all earlier ones. Raises OneTimeCodeWrong; the attempt then stays
    counted.
    """
    operator = lock_operator(db, operator_id)
    plain = plain_code(code)
    if operator.totp_step is None:  # an unconfirmed secret is no proof
        raise OneTimeCodeWrong
    is_good = _use_one_time_code(operator, plain)
    if not is_good and not use_recovery_code(db, operator, plain, device.ip):
        raise OneTimeCodeWrong
    record_success(db, tried)
    return operator


def _use_one_time_code(operator: Operator, code: str) -> bool:
    """Return whether a code is valid. If so, store its step, so that it is valid only once."""
    if operator.totp is None:
        return False
    step = int(now().timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(operator.totp)
    for one in (step + off for off in STEPS_OFF):
        is_new = operator.totp_step is None or one > operator.totp_step
        if is_new and hmac.compare_digest(totp.generate_otp(one).encode(), code.encode()):
            operator.totp_step = one
            return True
    return False


def _record(
    db: Session, signed_in: SignedIn, operator: Operator, action: str, *, is_on: bool
) -> None:
    told = {"before": {"codes": not is_on}, "after": {"codes": is_on}}
    audit.record(db, operator.tenant_id, signed_in.actor, action, operator.id, **told)
