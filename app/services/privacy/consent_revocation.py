"""Consent revocation: delete the data that a person revokes in WeChat (docs/decisions/0013).

WeChat reports revocations in compliance events (授权用户信息变更). The OpenID of an event
identifies the person in the app of the push. Nothing is stored about an unknown openid. An event
may be handled long after its arrival. Data that the person provided after the arrival is kept.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.models import LoginSession, Phone, SocialAccount, User
from app.services import audit
from app.services.database.idempotency import forget_answers
from app.services.privacy.erasure import erase
from app.services.privacy.personal_data import PersonalData, lock_personal_data
from app.services.signing.signing_keys import CLOCKS_DIFFER
from app.services.social_accounts.profiles import clear_profile
from app.services.user_import.preview import forget_imported_users
from app.services.users.merges import with_merged
from app.wechat import Push

log = structlog.get_logger()

# Values of RevokeInfo: 6 is nickname and avatar, 19 is the nickname input, 20 is the avatar picker.
# The service does not know which of them provided the stored profile.
PROFILE, PHONE = frozenset({6, 19, 20}), frozenset({8})
# Other data that a person can revoke: plate, address, invoice title, Bluetooth, microphone, camera,
# steps, location, pictures, files, e-mail (16), chosen place. The service stores none of it.
NEVER_KEPT = frozenset({1, 2, 3, 4, 5, 7, 12, 13, 14, 15, 16, 18})
KNOWN = PROFILE | PHONE | NEVER_KEPT


class NobodyNamed(Exception):
    """The event does not name a person."""


class RevokeInfoUnknown(Exception):
    """The kind of consent that was revoked is unknown."""


def withdraw(db: Session, tenant_id: UUID, appid: str, push: Push, received_at: datetime) -> None:
    """Clear the data whose consent the person revoked.

    Raises RevokeInfoUnknown if every number of the event is unknown. An unknown number next to a
    known one is only recorded. A retry would clear a nickname and avatar provided since, because
    the two have no timestamp.
    """
    withdrawn = frozenset(push.revoke_infos)
    unknown = withdrawn - KNOWN
    if unknown or not withdrawn:
        log.error("revoke_info_unknown", numbers=_listed(unknown))
    account = _lock_named(db, tenant_id, appid, push, received_at)
    if account is None:
        return
    if not withdrawn & KNOWN:
        raise RevokeInfoUnknown
    if withdrawn & (PROFILE | PHONE):
        _forget_answers(db, account)
    if withdrawn & PROFILE:
        clear_profile(db, account)
    if withdrawn & PHONE:
        _clear_phone(db, account, received_at)
    told = {"unknown": _listed(unknown)} if unknown else {}
    _record(db, account, "consent.withdrawn", withdrawn=_listed(withdrawn), **told)


def clear_modified_profile(
    db: Session, tenant_id: UUID, appid: str, push: Push, received_at: datetime
) -> None:
    """Clear a nickname and an avatar that WeChat removed for violating its rules."""
    account = _lock_named(db, tenant_id, appid, push, received_at)
    if account is not None:
        _forget_answers(db, account)
        clear_profile(db, account)
        _record(db, account, "profile.taken_down")


def cancel(db: Session, tenant_id: UUID, appid: str, push: Push, received_at: datetime) -> None:
    """Erase the identity of a person who closed their WeChat account, and its sessions.

    The user is also erased, unless another identity or an account lets them log in.
    """
    account = _lock_named(db, tenant_id, appid, push, received_at)
    if account is None:
        return
    _record(db, account, "social_account.cancelled")
    erase(db, _leaving_with(db, account, received_at), audit.WECHAT)


def _leaving_with(db: Session, account: SocialAccount, received_at: datetime) -> PersonalData:
    """Return the data to erase: the user with the identity, or the identity only.

    If the user stays, clear the nickname and avatar, and without another identity the phone.
    """
    alone = PersonalData(account.tenant_id, (), [account])
    if account.user_id is None:
        return replace(alone, of_visitor=True)
    held = lock_personal_data(db, account.tenant_id, account.user_id)
    others = [one for one in held.accounts if one.user_id and one.id != account.id]
    if not others and not _has_name(db, account):
        return held
    _forget_answers(db, account)
    clear_profile(db, account)
    if not others:
        _clear_phone(db, account, received_at)
    return alone


def _lock_named(
    db: Session, tenant_id: UUID, appid: str, push: Push, received_at: datetime
) -> SocialAccount | None:
    """Lock the identity that an event names if it existed on arrival. Raises NobodyNamed."""
    if push.openid is None:
        raise NobodyNamed
    named = select(SocialAccount).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.appid == appid,
        SocialAccount.openid == push.openid,
        SocialAccount.created_at < received_at + CLOCKS_DIFFER,
    )
    return db.scalar(named.with_for_update())


def _clear_phone(db: Session, account: SocialAccount, received_at: datetime) -> None:
    """Delete the phone number, from WeChat or an operator, and pending imports that hold it."""
    until = received_at + CLOCKS_DIFFER
    of_user = (Phone.tenant_id == account.tenant_id, Phone.user_id == account.user_id)
    theirs = (*of_user, Phone.verified_at < until)
    if indexes := db.scalars(select(Phone.number_index).where(*theirs)).all():
        forget_imported_users(db, account.tenant_id, (), indexes)
    db.execute(delete(Phone).where(*theirs))
    sessions = [LoginSession.social_account_id == account.id]
    if account.user_id is not None:
        sessions.append(LoginSession.user_id == account.user_id)
    verified = update(LoginSession).where(
        LoginSession.tenant_id == account.tenant_id,
        LoginSession.verified_number_index.is_not(None),
        LoginSession.created_at < until,
        or_(*sessions),
    )
    db.execute(verified.values(verified_number_index=None))


def _forget_answers(db: Session, account: SocialAccount) -> None:
    """Delete the stored idempotent responses to operators that contain the user."""
    forget_answers(db, db.scalars(with_merged(account.tenant_id, account.user_id)).all())


def _has_name(db: Session, account: SocialAccount) -> bool:
    """Return whether the user of an identity has an account name to log in with."""
    its = select(User.account).where(User.tenant_id == account.tenant_id)
    return db.scalar(its.where(User.id == account.user_id)) is not None


def _record(db: Session, account: SocialAccount, action: str, **details: str) -> None:
    subject = account.user_id or account.id
    its = {"appid": account.appid, "social_account": account.id}
    audit.record(db, account.tenant_id, audit.WECHAT, action, subject, **its, **details)


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
