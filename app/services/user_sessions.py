"""All the sessions by which somebody is a user, or could become the user."""

from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from app.models import LoginSession, SocialAccount


def sessions_of_user(tenant_id: UUID, user_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
    """Select every session of a user, and of the user's WeChat identities.

    The unbound ones among these can be bound to the user.
    """
    identities = select(SocialAccount.id).where(
        SocialAccount.tenant_id == tenant_id, SocialAccount.user_id == user_id
    )
    theirs = or_(LoginSession.user_id == user_id, LoginSession.social_account_id.in_(identities))
    return LoginSession.tenant_id == tenant_id, theirs
