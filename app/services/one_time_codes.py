"""One-time codes of an authenticator app (TOTP, RFC 6238): switched on, used once each, off."""

import hmac
from collections.abc import Callable
from uuid import UUID

import pyotp
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import OneTimeCodeWrong
from app.models import Operator
from app.services import audit
from app.services.operators import lock_operator
from app.services.password_tries import Limit, Try, count_try, take_back
from app.services.sessions import Device
from app.services.transactions import transaction

Switch = Callable[[audit.Actor, UUID, str], None]
# Tries at codes are counted apart from passwords, whose accounts are whatever somebody types.
CODES = UUID(int=1)
# Whoever gets here knows the password, so being stricter keeps no owner out: a guesser who comes
# from everywhere has some 100 tries a day at a million codes, of which 3 are good.
TRIES = Limit(free=10, forgets_every=900, longest=900)
STEP_SECONDS = 30
# Clocks of phones are seconds off: the code before and the one after are good as well.
STEPS_OFF = (-1, 0, 1)


def prepare_codes(operator_id: UUID) -> str:
    """Make the secret that an authenticator app takes as a URI; nothing is asked for yet.

    A secret that is in use stays: it is switched off first.
    """
    with transaction() as db:
        operator = lock_operator(db, operator_id)
        if operator.totp_step is None:
            operator.totp = pyotp.random_base32()
        totp = pyotp.TOTP(operator.totp or "", name=operator.email, issuer="wxpass")
        return totp.provisioning_uri()


def switch_codes_on(actor: audit.Actor, operator_id: UUID, code: str) -> None:
    """Ask for codes from now on, once a first one is right.

    Raises OneTimeCodeWrong or TooManyTries.
    """
    tried = count_code(operator_id, Device(None, actor.ip))
    with transaction() as db:
        operator = use_code(db, operator_id, code, tried)
        told = {"before": {"codes": False}, "after": {"codes": True}}
        audit.record(db, operator.tenant_id, actor, "operator.codes_on", operator_id, **told)


def switch_codes_off(actor: audit.Actor, operator_id: UUID, code: str) -> None:
    """Ask for no codes any more; whoever wants that must have one.

    Raises OneTimeCodeWrong or TooManyTries: a stolen session must not try them all.
    """
    tried = count_code(operator_id, Device(None, actor.ip))
    with transaction() as db:
        operator = use_code(db, operator_id, code, tried)
        operator.totp_sealed = operator.totp_step = None
        told = {"before": {"codes": True}, "after": {"codes": False}}
        audit.record(db, operator.tenant_id, actor, "operator.codes_off", operator_id, **told)


def count_code(operator_id: UUID, device: Device) -> Try:
    """Count a try at an operator's codes before it is looked at; raise TooManyTries."""
    with transaction() as db:
        return count_try(db, CODES, str(operator_id), device, TRIES)


def use_code(db: Session, operator_id: UUID, code: str, tried: Try) -> Operator:
    """Use a code of an operator up, with all before it; lock and give the operator.

    Raises OneTimeCodeWrong, and then the try goes on counting.
    """
    operator = lock_operator(db, operator_id)
    if not _is_good(operator, code):
        raise OneTimeCodeWrong
    take_back(db, tried)
    return operator


def _is_good(operator: Operator, code: str) -> bool:
    """Tell whether a code is good, and if so note its step: it is not good twice."""
    if operator.totp is None:
        return False
    step = int(now().timestamp()) // STEP_SECONDS
    totp, shown = pyotp.TOTP(operator.totp), code.strip().encode()
    for one in (step + off for off in STEPS_OFF):
        is_new = operator.totp_step is None or one > operator.totp_step
        if is_new and hmac.compare_digest(totp.generate_otp(one).encode(), shown):
            operator.totp_step = one
            return True
    return False
