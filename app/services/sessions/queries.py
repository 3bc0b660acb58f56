"""Conditions that select the session of a principal, and all sessions of a user."""

from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, or_, select

from app.models import LoginSession, SocialAccount
from app.services.principals import Principal


def session_of(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    """Select the session of a principal."""
    return (
        LoginSession.tenant_id == principal.tenant_id,
        LoginSession.id == principal.session_id,
    )


def sessions_of_user(tenant_id: UUID, user_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
    """Select every session of a user, and of the user's WeChat identities.

    The unbound ones among these can be bound to the user. The identities are an array, so that
    Postgres finds either kind by its index; with a subquery it reads all sessions of the tenant.
    """
    identities = select(SocialAccount.id).where(
        SocialAccount.tenant_id == tenant_id, SocialAccount.user_id == user_id
    )
    stands_on_them = LoginSession.social_account_id == any_(
        func.array(identities.scalar_subquery())
    )
    theirs = or_(LoginSession.user_id == user_id, stands_on_them)
    return LoginSession.tenant_id == tenant_id, theirs
