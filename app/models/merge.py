"""Merges of users: of a bare user at a binding, of any user by an operator. Can be undone."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.extensions import Model
from app.models.columns import Id, Moment


class Merge(Model):
    """Moved identities name this row in `social_accounts.merge_id` until they are unlinked."""

    __tablename__ = "merges"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        ForeignKeyConstraint(["tenant_id", "merged_user_id"], ["users.tenant_id", "users.id"]),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        Index(None, "tenant_id", "merged_user_id"),
        Index(None, "tenant_id", "user_id"),
    )
    # Updates and deletes of the mapper name the tenant, too.
    __mapper_args__ = {"primary_key": ["tenant_id", "id"]}  # noqa: RUF012

    id: Mapped[Id]
    tenant_id: Mapped[UUID]
    merged_user_id: Mapped[UUID]
    user_id: Mapped[UUID]
    moved: Mapped[int]
    merged_at: Mapped[Moment]
    # The number that moved with the user. Its row is gone if the owner verified another number.
    phone_id: Mapped[UUID | None]
