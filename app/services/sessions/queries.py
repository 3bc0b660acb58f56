"""SQL conditions for the session of a principal, and for all sessions of a user."""

from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, or_, select

from app.models import LoginSession, SocialAccount
from app.services.principals import Principal


def session_of(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions for the session of a principal."""
    return (
        LoginSession.tenant_id == principal.tenant_id,
        LoginSession.id == principal.session_id,
    )


def sessions_of_user(tenant_id: UUID, user_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions for all sessions of a user and of the user's WeChat identities.

    Unbound sessions of the identities are included, because they can be bound to the user. The
    identities are an array, so that PostgreSQL uses an index for both conditions. With a subquery
    it reads all sessions of the tenant.
    """
    identities = select(SocialAccount.id).where(
        SocialAccount.tenant_id == tenant_id, SocialAccount.user_id == user_id
    )
    is_of_identities = LoginSession.social_account_id == any_(
        func.array(identities.scalar_subquery())
    )
    theirs = or_(LoginSession.user_id == user_id, is_of_identities)
    return LoginSession.tenant_id == tenant_id, theirs
