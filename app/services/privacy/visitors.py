"""Visitors: WeChat identities that belong to no user, and their erasure."""

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.clock import now
from app.errors import IdentityBound, LoginTooOld, SessionReplaced, TokenInvalid
from app.models import LoginSession, SocialAccount
from app.services import audit
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.principals import Device, Principal
from app.services.privacy.erasure import erase
from app.services.privacy.personal_data import PersonalData
from app.services.sessions.session_checks import JUST_NOW, refuse_ended
from app.services.users.account_closure import Closing, close_account


def close_or_erase(principal: Principal, device: Device) -> Closing:
    """Close the account of the caller's user, or erase a visitor immediately.

    Raises what `close_account` and `erase_visitor` raise.
    """
    return (
        erase_visitor(principal) if principal.user_id is None else close_account(principal, device)
    )


@retry_on_conflict
def erase_visitor(principal: Principal) -> Closing:
    """Erase a visitor and all their identities in the apps of the tenant.

    Raises IdentityBound if the identity belongs to a user, LoginTooOld for a session opened more
    than ten minutes ago, and TokenInvalid, SessionReplaced, SessionEnded or SessionRevoked if the
    caller's session changed during the request.
    """
    with transaction() as db:
        held = lock_visitor(db, principal)
        _refuse_unless_just_opened(db, principal)
        # Without an IP address, because no later erasure would clear it.
        actor = audit.Actor("user")
        erase(db, held, actor)
        for account_id in held.account_ids:
            audit.record(db, held.tenant_id, actor, "visitor.erased", account_id)
        return Closing(now(), erased=True)


def lock_visitor(db: Session, principal: Principal) -> PersonalData:
    """Lock and return the caller's identity, and identities without a user that share its unionid.

    Locks in the order of the ids, as all code does. Raises TokenInvalid if the identity was erased,
    and IdentityBound if it belongs to a user.
    """
    account_id, tenant_id = principal.social_account_id, principal.tenant_id
    of_tenant = SocialAccount.tenant_id == tenant_id
    unionid = select(SocialAccount.unionid).where(of_tenant, SocialAccount.id == account_id)
    is_same_person = and_(
        SocialAccount.unionid == unionid.scalar_subquery(), SocialAccount.user_id.is_(None)
    )
    wanted = select(SocialAccount).where(
        of_tenant, or_(SocialAccount.id == account_id, is_same_person)
    )
    accounts = db.scalars(wanted.order_by(SocialAccount.id).with_for_update()).all()
    own = next((one for one in accounts if one.id == account_id), None)
    if own is None:
        raise TokenInvalid
    if own.user_id is not None:
        raise IdentityBound
    return PersonalData(tenant_id, (), accounts, of_visitor=True)


def _refuse_unless_just_opened(db: Session, principal: Principal) -> None:
    """Raise unless the caller's session is unchanged and was opened in the last ten minutes."""
    one = select(LoginSession).where(
        LoginSession.tenant_id == principal.tenant_id, LoginSession.id == principal.session_id
    )
    session = db.scalar(one.with_for_update())
    if session is None:
        raise TokenInvalid
    refuse_ended(session)
    if session.token_hash != principal.token_hash:
        raise SessionReplaced
    if session.created_at < now() - JUST_NOW:
        raise LoginTooOld
