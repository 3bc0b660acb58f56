"""Verified phone numbers. In a tenant, each number has one user and each user one number."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment, Sealed


class Phone(Model):
    __tablename__ = "phones"
    __table_args__ = (
        UniqueConstraint("tenant_id", "number_index"),
        UniqueConstraint("tenant_id", "user_id"),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id]
    user_id: Mapped[UUID]
    number_index: Mapped[bytes]
    number_sealed: Mapped[str]
    country_code: Mapped[int]
    verified_at: Mapped[Moment]
    number = Sealed("id")
