"""Recovery codes: ten codes, each of which replaces a one-time code once."""

import unicodedata
from collections.abc import Sequence
from secrets import choice
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.errors import OneTimeCodesOff
from app.keyring import keyring
from app.models import Operator, OperatorRecoveryCode
from app.services import audit
from app.services.database.transactions import transaction
from app.services.operators.locks import lock_signed_in
from app.services.operators.sessions import SignedIn

HOW_MANY = 10
# Crockford's base32 has no letters that look like digits. Ten characters are 50 bits.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
GROUP = 5
LOOKS_LIKE = str.maketrans("oil", "011")


def plain_code(text: str) -> str:
    """Return a typed code in the spelling that codes are compared in.

    Full-width characters become ASCII, letters lower-case. Blanks, hyphens, other punctuation and
    invisible characters are left out.
    """
    spelled = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in spelled if char.isalnum())


def renew_recovery_codes(signed_in: SignedIn) -> Sequence[str]:
    """Replace the operator's recovery codes by ten new ones. Only this call returns them.

    Raises OneTimeCodesOff, or SignInNeeded if the session has ended.
    """
    with transaction() as db:
        operator = lock_signed_in(db, signed_in)
        if operator.totp_step is None:
            raise OneTimeCodesOff
        codes = issue_recovery_codes(db, operator.id)
        action = "operator.recovery_codes_renewed"
        audit.record(db, operator.tenant_id, signed_in.actor, action, operator.id)
    return codes


def count_recovery_codes(operator_id: UUID) -> int:
    """Return the number of an operator's unused recovery codes."""
    with transaction() as db:
        return _count(db, operator_id)


def issue_recovery_codes(db: Session, operator_id: UUID) -> Sequence[str]:
    """Return ten new codes and delete the previous ones, in the caller's transaction."""
    void_recovery_codes(db, operator_id)
    codes: set[str] = set()
    while len(codes) < HOW_MANY:
        codes.add("-".join(_group() for _ in range(2)))
    hashes = [_hash(operator_id, plain_code(code)) for code in codes]
    db.add_all(OperatorRecoveryCode(operator_id=operator_id, code_hash=one) for one in hashes)
    return sorted(codes)


def void_recovery_codes(db: Session, operator_id: UUID) -> None:
    """Delete an operator's recovery codes, in the caller's transaction."""
    db.execute(delete(OperatorRecoveryCode).where(OperatorRecoveryCode.operator_id == operator_id))


def use_recovery_code(db: Session, operator: Operator, code: str, ip: str | None) -> bool:
    """Use up a code in the spelling of `plain_code`; return whether it was valid.

    The row is deleted in the caller's transaction, so only one transaction can use a code.
    """
    used = delete(OperatorRecoveryCode).where(
        OperatorRecoveryCode.operator_id == operator.id,
        OperatorRecoveryCode.code_hash == _hash(operator.id, code),
    )
    if db.scalar(used.returning(OperatorRecoveryCode.operator_id)) is None:
        return False
    actor = audit.Actor("operator", operator.id, ip)
    told = {"left": _count(db, operator.id)}
    audit.record(db, operator.tenant_id, actor, "operator.recovery_code_used", operator.id, **told)
    return True


def _count(db: Session, operator_id: UUID) -> int:
    counted = select(func.count()).select_from(OperatorRecoveryCode)
    return db.scalars(counted.where(OperatorRecoveryCode.operator_id == operator_id)).one()


def _group() -> str:
    return "".join(choice(ALPHABET) for _ in range(GROUP))


def _hash(operator_id: UUID, code: str) -> bytes:
    """Return a hash keyed with the pepper. Without a key, 50 bits could be found by brute force."""
    return keyring().blind_index(code.translate(LOOKS_LIKE), f"recovery:{operator_id}")
