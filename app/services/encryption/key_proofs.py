"""Whether the keys of the environment are those that the database was written with.

A lost key would else be noticed at the first login that needs it. At boot a few proofs are read,
not the rows (docs/decisions/0012).
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from flask import current_app
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import (
    EncryptionKeyMissing,
    EncryptionKeyPresent,
    EncryptionKeyUnknown,
    EncryptionKeyWrong,
    PepperWrong,
)
from app.keyring import SealBroken, keyring
from app.models import KeyProof, Phone
from app.models.key_proof import PEPPER
from app.services import audit
from app.services.database.transactions import transaction
from app.services.encryption.key_usage import is_key_used, key_usage
from app.services.users.phone_numbers import PhoneNumber, number_index

KNOWN_TEXT = "wxpass"
# Longer than it takes to bring new keys to every process.
PROVEN_LATELY = timedelta(days=1)


def check_keys() -> None:
    """Raise EncryptionKeyMissing, EncryptionKeyWrong or PepperWrong; else prove what is in use.

    The first key is proven before it encrypts anything. Only when it is new are rows looked at.
    """
    with transaction() as db:
        if {keyring().first, PEPPER} - _compare(db):
            _refuse_pepper_of_others(db)
            _prove(db, _keys_in_use(db))
            _compare(db)  # of two simultaneous proofs, one reads what the other wrote
    current_app.extensions["keys_fit"] = True


def check_keys_once() -> None:
    """Check what could not be checked at boot, because the database was away; never again."""
    if "keys_fit" not in current_app.extensions:
        check_keys()


def forget_key(key_id: str) -> None:
    """Accept that a key is lost, with all that it encrypted; boots no longer ask for it.

    Raises EncryptionKeyPresent while it is in WXPASS_KEYS, and EncryptionKeyUnknown.
    """
    if key_id in keyring():
        raise EncryptionKeyPresent(about=key_id)
    giving_up = insert(KeyProof).values(name=key_id)
    giving_up = giving_up.on_conflict_do_update(constraint="pk_key_proofs", set_={"proof": None})
    with transaction() as db:
        if not is_key_used(db, key_id):
            raise EncryptionKeyUnknown(about=key_id)
        db.execute(giving_up)
        audit.record(db, None, audit.OPERATOR, "encryption_key.forgotten", key_id)


def _compare(db: Session) -> set[str]:
    """Raise unless everything that is proven is at hand; name it."""
    kept = select(KeyProof.name, KeyProof.proof).where(KeyProof.proof.is_not(None))
    proofs = {row.name: row.proof for row in db.execute(kept)}
    lost = [name for name in proofs if name not in keyring() and name != PEPPER]
    _refuse_without([name for name in lost if is_key_used(db, name)])
    if lost:
        _retire(db, lost)
    if wrong := sorted(name for name, proof in proofs.items() if not _holds(name, proof)):
        if PEPPER in wrong:
            raise PepperWrong(about=PEPPER)
        raise EncryptionKeyWrong(about=f"WXPASS_KEYS: {', '.join(wrong)}")
    return set(proofs)


def _retire(db: Session, gone: Sequence[str]) -> None:
    """Delete the proofs of keys that no row needs, so that the next boot skips them.

    Not when they end to be needed, but when they are gone: until then some process, forgotten in
    a rollout, may encrypt with them. Nor lately proven ones, which others may be about to use.
    """
    old = KeyProof.created_at < now() - PROVEN_LATELY
    db.execute(delete(KeyProof).where(KeyProof.name.in_(gone), old))


def _refuse_pepper_of_others(db: Session) -> None:
    """Try the pepper on a phone, if there is one that opens; raise PepperWrong."""
    phone = db.scalar(select(Phone).limit(1))
    if phone is None:
        return
    with suppress(SealBroken):
        number = PhoneNumber(phone.number or "", phone.country_code)
        if number_index(phone.tenant_id, number) != phone.number_index:
            raise PepperWrong(about=PEPPER)


def _keys_in_use(db: Session) -> set[str]:
    """Look at every row for the keys that it needs; raise EncryptionKeyMissing."""
    given_up = set(db.scalars(select(KeyProof.name).where(KeyProof.proof.is_(None))))
    used = {use.key_id for use in key_usage(db) if use.key_id} - given_up
    _refuse_without([key_id for key_id in used if key_id not in keyring()])
    return used


def _refuse_without(lost: Sequence[str]) -> None:
    if lost:
        raise EncryptionKeyMissing(about=f"WXPASS_KEYS: {', '.join(sorted(lost))}")


def _holds(name: str, proof: str) -> bool:
    if name == PEPPER:
        return proof == _pepper_proof()
    if name not in keyring():
        return True
    try:
        return keyring().open(proof, _place(name)) == KNOWN_TEXT
    except SealBroken:
        return False


def _prove(db: Session, used: set[str]) -> None:
    ring = keyring()
    proofs = {PEPPER: _pepper_proof()}
    for key_id in used | {ring.first}:
        proofs[key_id] = ring.with_first(key_id).seal(KNOWN_TEXT, _place(key_id))
    proving = insert(KeyProof).values([{"name": n, "proof": p} for n, p in proofs.items()])
    db.execute(
        proving.on_conflict_do_update(
            constraint="pk_key_proofs",
            set_={"proof": proving.excluded.proof},
            where=KeyProof.proof.is_(None),
        )
    )


def _place(key_id: str) -> str:
    return f"key_proofs.proof:{key_id}"


def _pepper_proof() -> str:
    return keyring().blind_index(KNOWN_TEXT, "key_proofs").hex()
