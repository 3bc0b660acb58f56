"""What a person takes back at WeChat's, and what of ours goes with it (docs/decisions/0013).

WeChat tells of it in the compliance events (授权用户信息变更). The person is whom OpenID names,
in the app that the push came for. Whom we do not know has nothing here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from app.models import LoginSession, Phone, SocialAccount, User
from app.services import audit
from app.services.erasure import erase_identities, erase_user
from app.services.holdings import Holdings, lock_holdings
from app.services.profiles import clear_profile
from app.wechat import Push

PROFILE = frozenset({"nickname", "avatar_url"})
# What each number of RevokeInfo takes back of what we keep: 6 nickname and avatar, 8 the phone
# number, 19 the nickname of the keyboard, 20 the avatar that was picked.
KEPT = {6: PROFILE, 8: {"phone"}, 19: {"nickname"}, 20: {"avatar_url"}}
# What else it may take back from a mini-program: plate, address, invoice title, Bluetooth,
# microphone, camera, steps, location, pictures, files, e-mail (16), chosen place. None is kept.
NEVER_KEPT = frozenset({1, 2, 3, 4, 5, 7, 12, 13, 14, 15, 16, 18})


class NobodyNamed(Exception):
    """The event does not say whom it is about."""


@dataclass(frozen=True, slots=True)
class Left:
    """What of an event is left to be done, as an event of its own, and why."""

    push: Push
    why: str


def withdraw(db: Session, tenant_id: UUID, appid: str, push: Push) -> Left | None:
    """Clear exactly what the person no longer lets the app know.

    A number that nobody knows is left; what is kept of it names no other, so that a later try
    does not clear what the person has given again since.
    """
    account = _lock_named(db, tenant_id, appid, push)
    known = [info for info in push.revoke_infos if info in KEPT or info in NEVER_KEPT]
    if account is not None and known:
        cleared = {what for info in known for what in KEPT.get(info, ())}
        _clear(db, account, cleared)
        _record(db, account, "consent.withdrawn", cleared, withdrawn=_listed(known))
    unknown = [info for info in push.revoke_infos if info not in known]
    if unknown:
        return Left(push.withdrawing(unknown), f"RevokeInfo {_listed(unknown)} unknown")
    return None if known else Left(push, "RevokeInfo unreadable")


def clear_modified_profile(db: Session, tenant_id: UUID, appid: str, push: Push) -> None:
    """Clear a nickname and an avatar that WeChat took down as unfit to be shown."""
    account = _lock_named(db, tenant_id, appid, push)
    if account is not None:
        _clear(db, account, PROFILE)
        _record(db, account, "profile.taken_down", PROFILE)


def cancel(db: Session, tenant_id: UUID, appid: str, push: Push) -> None:
    """Erase the identity of a person who left WeChat, with what it brought and what stands on it.

    The user is erased too, unless there is another way to be them: another identity, an account,
    or a phone that came from elsewhere.
    """
    account = _lock_named(db, tenant_id, appid, push)
    if account is None:
        return
    user_id = account.user_id
    held = lock_holdings(db, tenant_id, user_id) if user_id else None
    clear_profile(db, account, *PROFILE)
    if held is not None:
        db.execute(delete(Phone).where(held.phones, Phone.appid == appid))
    _record(db, account, "social_account.cancelled", {"identity"})
    erase_identities(db, Holdings(tenant_id, (), [account]))
    if user_id and held and not _can_be_reached(db, tenant_id, user_id):
        erase_user(db, held, user_id, audit.WECHAT)


def _lock_named(db: Session, tenant_id: UUID, appid: str, push: Push) -> SocialAccount | None:
    """Lock the identity of whom an event names, if there is one; raise NobodyNamed."""
    if push.openid is None:
        raise NobodyNamed
    named = select(SocialAccount).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.appid == appid,
        SocialAccount.openid == push.openid,
    )
    return db.scalar(named.with_for_update())


def _clear(db: Session, account: SocialAccount, cleared: Iterable[str]) -> None:
    clear_profile(db, account, *PROFILE.intersection(cleared))
    if "phone" in cleared:
        _clear_phone(db, account)


def _clear_phone(db: Session, account: SocialAccount) -> None:
    """Forget the number, whoever gave it first: nobody proves anything with it any more."""
    theirs = (Phone.tenant_id == account.tenant_id, Phone.user_id == account.user_id)
    db.execute(delete(Phone).where(*theirs))
    of_tenant = LoginSession.tenant_id == account.tenant_id
    stands_on_it = LoginSession.social_account_id == account.id
    verified = LoginSession.verified_number_index.is_not(None)
    sessions = update(LoginSession).where(of_tenant, stands_on_it, verified)
    db.execute(sessions.values(verified_number_index=None))


def _can_be_reached(db: Session, tenant_id: UUID, user_id: UUID) -> bool:
    """Tell whether there is still a way to log in as a locked user."""
    identity = exists().where(
        SocialAccount.tenant_id == tenant_id, SocialAccount.user_id == user_id
    )
    phone = exists().where(Phone.tenant_id == tenant_id, Phone.user_id == user_id)
    its = select(User.id).where(User.tenant_id == tenant_id, User.id == user_id)
    return db.scalar(its.where(identity | phone | User.account.is_not(None))) is not None


def _record(
    db: Session, account: SocialAccount, action: str, cleared: Iterable[str], **details: str
) -> None:
    details |= {"appid": account.appid, "cleared": _listed(cleared)}
    subject = account.user_id or account.id
    its = {"social_account": account.id}
    audit.record(db, account.tenant_id, audit.WECHAT, action, subject, **details, **its)


def _listed(things: Iterable[object]) -> str:
    return ",".join(sorted(map(str, things)))
