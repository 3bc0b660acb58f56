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
    # The owner of a verified phone number may already have another WeChat identity in the app. Then
    # "bind" links the new identity to the owner, and "refuse" assumes a reassigned number.
    phone_owner_policy: Mapped[str] = mapped_column(server_default="bind")
    # The number of days in which a login reopens an account that the user has closed.
    grace_days: Mapped[int] = mapped_column(server_default="15")
    # The number of days that audit events are kept. The law requires six months (网络安全法).
    audit_days: Mapped[int] = mapped_column(server_default="1095")
    # The number of days after the last login until a WeChat identity without a user is erased.
    visitor_days: Mapped[int] = mapped_column(server_default="180")
    created_at: Mapped[Made]
