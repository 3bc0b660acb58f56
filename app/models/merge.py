"""Merges of users, by a binding or by an operator. An operator can undo a merge."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment


class Merge(Model):
    """`social_accounts.merge_id` of a moved identity refers to this row until the unlinking."""

    __tablename__ = "merges"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "merged_user_id"], ["users.tenant_id", "users.id"]),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        Index(None, "tenant_id", "merged_user_id"),
        Index(None, "tenant_id", "user_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id]
    merged_user_id: Mapped[UUID]
    user_id: Mapped[UUID]
    moved: Mapped[int]
    merged_at: Mapped[Moment]
    # The phone number that moved to the user. The row is deleted if the user verifies another one.
    phone_id: Mapped[UUID | None]
