"""Consent that a person revokes in WeChat, and the data that is deleted then (docs/decisions/0013).

WeChat sends the compliance events (授权用户信息变更). The person is the one that OpenID names in
the app of the push. Nothing is stored about an unknown openid. An event may be handled much later
than it arrived; data that the person gave after its arrival stays.
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

# The numbers of RevokeInfo. 6 is nickname and avatar, 19 the nickname of the keyboard, 20 the
# avatar that was picked: it is not known by which of the ways ours came.
PROFILE, PHONE = frozenset({6, 19, 20}), frozenset({8})
# What else may be taken back from a mini-program: plate, address, invoice title, Bluetooth,
# microphone, camera, steps, location, pictures, files, e-mail (16), chosen place. None is kept.
NEVER_KEPT = frozenset({1, 2, 3, 4, 5, 7, 12, 13, 14, 15, 16, 18})
KNOWN = PROFILE | PHONE | NEVER_KEPT


class NobodyNamed(Exception):
    """The event does not name a person."""


class RevokeInfoUnknown(Exception):
    """The kind of consent that was revoked is unknown."""


def withdraw(db: Session, tenant_id: UUID, appid: str, push: Push, received_at: datetime) -> None:
    """Clear exactly what the person no longer lets the app know.

    Raises RevokeInfoUnknown when that is nothing we know of. Beside something that we do know, an
    unknown number is only recorded: nickname and avatar have no date, and to try again would clear
    those that have been given since.
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
    """Clear a nickname and an avatar that WeChat took down as unfit to be shown."""
    account = _lock_named(db, tenant_id, appid, push, received_at)
    if account is not None:
        _forget_answers(db, account)
        clear_profile(db, account)
        _record(db, account, "profile.taken_down")


def cancel(db: Session, tenant_id: UUID, appid: str, push: Push, received_at: datetime) -> None:
    """Erase the identity of a person who closed their WeChat account, with its sessions.

    The user is erased too, unless they have another identity or an account to log in with.
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
    """Delete the number, whether WeChat or an operator gave it, also from pending imports."""
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
    """Delete stored answers to operators that show the user, with nickname and masked number."""
    forget_answers(db, with_merged(account.tenant_id, account.user_id))


def _has_name(db: Session, account: SocialAccount) -> bool:
    """Return whether the user of an identity has an account to log in by."""
    its = select(User.account).where(User.tenant_id == account.tenant_id)
    return db.scalar(its.where(User.id == account.user_id)) is not None


def _record(db: Session, account: SocialAccount, action: str, **details: str) -> None:
    subject = account.user_id or account.id
    its = {"appid": account.appid, "social_account": account.id}
    audit.record(db, account.tenant_id, audit.WECHAT, action, subject, **its, **details)


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
