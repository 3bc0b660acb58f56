"""SQL conditions for the session of a token or a principal, and for all sessions of a user."""

from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, not_, or_, select

from app.models import LoginSession, SocialAccount
from app.services.principals import Principal
from app.services.sessions.tokens import RefreshToken, tenant_in_token, token_hash

Conditions = tuple[ColumnElement[bool], ...]


def session_of_login_token(token: str) -> Conditions:
    """Return the SQL conditions for the session with this login token."""
    return _of_tenant(tenant_in_token(token)), LoginSession.token_hash == token_hash(token)


def session_of_replaced_token(token: str) -> Conditions:
    """Return the SQL conditions for the session in which this login token was replaced."""
    return _of_tenant(tenant_in_token(token)), LoginSession.previous_token_hash == token_hash(token)


def session_of_refresh_token(shown: RefreshToken) -> Conditions:
    """Return the SQL conditions for the session with the family of this refresh token."""
    return _of_tenant(shown.tenant_id), LoginSession.refresh_family_hash == shown.family_hash


def _of_tenant(tenant_id: UUID | None) -> ColumnElement[bool]:
    """Limit a query to the tenant that a token names.

    A token of the previous form names none. The query then reads the sessions of all tenants, but
    only those with such tokens, by an index.
    """
    return (
        not_(LoginSession.names_tenant)
        if tenant_id is None
        else LoginSession.tenant_id == tenant_id
    )


def session_of(principal: Principal) -> Conditions:
    """Return the SQL conditions for the session of a principal."""
    return (
        LoginSession.tenant_id == principal.tenant_id,
        LoginSession.id == principal.session_id,
    )


def sessions_of_user(tenant_id: UUID, user_id: UUID | None) -> Conditions:
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
