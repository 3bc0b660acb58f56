"""An organisation with its own users; one Open Platform account."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, one_of


class Tenant(Model):
    __tablename__ = "tenants"
    __table_args__ = (one_of("status", "active", "disabled"),)

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    created_at: Mapped[Made]
