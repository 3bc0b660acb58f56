"""Check that the configured keys are the ones that encrypted the database.

Without this check, a missing key would fail the first login that needs it. At boot only the stored
proofs are read, not the encrypted rows (docs/decisions/0012).
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
from app.services.database.tenant_reads import TENANT_ID, read_tenant_ids, select_per_tenant
from app.services.database.transactions import transaction
from app.services.encryption.key_usage import is_key_used, key_usage
from app.services.users.phone_numbers import PhoneNumber, number_index

KNOWN_TEXT = "wxpass"
# Longer than a rollout of new keys to every process takes.
PROVEN_LATELY = timedelta(days=1)


def check_keys() -> None:
    """Check the keys and the pepper against their stored proofs, and store missing proofs.

    The proof of the first key is stored before the key encrypts any row. The encrypted rows are
    read only if the first key or the pepper has no proof yet. Raises EncryptionKeyMissing,
    EncryptionKeyWrong or PepperWrong.
    """
    with transaction() as db:
        if {keyring().first, PEPPER} - _compare(db):
            _check_pepper_of_phones(db)
            _prove(db, _keys_in_use(db))
            _compare(db)  # another process may have stored its proofs at the same time
    current_app.extensions["keys_fit"] = True


def check_keys_once() -> None:
    """Check the keys if the boot could not, because the database was unavailable."""
    if "keys_fit" not in current_app.extensions:
        check_keys()


def forget_key(key_id: str) -> None:
    """Accept the loss of a key and of the data it encrypted. Later boots do not require it.

    Raises EncryptionKeyPresent if the key is in WXPASS_KEYS, and EncryptionKeyUnknown if no row
    needs it.
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
    """Compare the keys with their stored proofs. Return the names that have a proof.

    Raises EncryptionKeyMissing, EncryptionKeyWrong or PepperWrong.
    """
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
    """Delete the proofs of removed keys that no row needs, so that the next boot skips them.

    A key that is still configured keeps its proof, because an old process may encrypt with it. A
    recent proof is also kept, because other processes may be about to use its key.
    """
    old = KeyProof.created_at < now() - PROVEN_LATELY
    db.execute(delete(KeyProof).where(KeyProof.name.in_(gone), old))


def _check_pepper_of_phones(db: Session) -> None:
    """Raise PepperWrong if the pepper does not match the index of a stored phone number."""
    some = select(Phone).where(Phone.tenant_id == TENANT_ID).limit(1)
    found = select_per_tenant(db, some.with_only_columns(Phone.id), read_tenant_ids(db))
    tenant_id = next((tenant_id for tenant_id, rows in found if rows), None)
    phone = None if tenant_id is None else db.scalar(some, {"tenant_id": tenant_id})
    if phone is None:
        return
    with suppress(SealBroken):
        number = PhoneNumber(phone.number or "", phone.country_code)
        if number_index(phone.tenant_id, number) != phone.number_index:
            raise PepperWrong(about=PEPPER)


def _keys_in_use(db: Session) -> set[str]:
    """Return the keys that the rows need. Reads every row. Raises EncryptionKeyMissing."""
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
