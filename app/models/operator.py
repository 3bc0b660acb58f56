"""Operators: platform admins, tenant admins and tenant viewers."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment, Sealed, one_of


class Operator(Model):
    """An operator. The password is missing until the operator accepts the invitation."""

    __tablename__ = "operators"
    __table_args__ = (
        one_of("role", "platform", "tenant_admin", "tenant_reader"),
        one_of("status", "active", "disabled"),
        CheckConstraint("(role = 'platform') = (tenant_id IS NULL)", name="role_fits_tenant"),
        CheckConstraint(
            "(invitation_hash IS NULL) = (invitation_expires_at IS NULL)", name="invitation"
        ),
        CheckConstraint("totp_sealed IS NOT NULL OR totp_step IS NULL", name="totp"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    role: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    # The hash of the secret in the link of an invitation or password reset.
    invitation_hash: Mapped[bytes | None] = mapped_column(unique=True)
    invitation_expires_at: Mapped[Moment | None]
    # The secret of the one-time codes, and the time step of the last used code, so that no code is
    # accepted twice. Sign-in requires a code once the first right code has set `totp_step`.
    totp_sealed: Mapped[str | None]
    totp_step: Mapped[int | None]
    signed_in_at: Mapped[Moment | None]
    created_at: Mapped[Made]
    totp = Sealed("id")
