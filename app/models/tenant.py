"""Tenants: organisations with their own users, each with one Open Platform account."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, one_of


class Tenant(Model):
    __tablename__ = "tenants"
    __table_args__ = (
        one_of("status", "active", "disabled"),
        one_of("phone_owner_policy", "bind", "refuse"),
        CheckConstraint("grace_days BETWEEN 0 AND 90", name="grace_days"),
        CheckConstraint("audit_days BETWEEN 180 AND 3650", name="audit_days"),
        CheckConstraint("visitor_days BETWEEN 1 AND 3650", name="visitor_days"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    # If the owner of a verified phone has another WeChat identity in the app, "bind" joins the
    # owner, and "refuse" assumes that the number was reassigned.
    phone_owner_policy: Mapped[str] = mapped_column(server_default="bind")
    # How long a login reopens an account that its user has closed.
    grace_days: Mapped[int] = mapped_column(server_default="15")
    # How long audit events are kept. The law requires six months (网络安全法).
    audit_days: Mapped[int] = mapped_column(server_default="1095")
    # Days after the last login of a WeChat identity that belongs to no user until it is erased.
    visitor_days: Mapped[int] = mapped_column(server_default="180")
    created_at: Mapped[Made]
