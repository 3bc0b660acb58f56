"""Somebody who runs the service (role platform) or one tenant of it (role tenant_admin)."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, one_of


class Operator(Model):
    __tablename__ = "operators"
    __table_args__ = (
        one_of("role", "platform", "tenant_admin"),
        CheckConstraint("(role = 'platform') = (tenant_id IS NULL)", name="role_fits_tenant"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    created_at: Mapped[Made]
