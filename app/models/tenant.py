"""An organisation with its own users; one Open Platform account."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, one_of


class Tenant(Model):
    __tablename__ = "tenants"
    __table_args__ = (
        one_of("status", "active", "disabled"),
        one_of("phone_owner_policy", "bind", "refuse"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    # What a phone proves when its owner has another WeChat identity in the same app already:
    # "bind" joins the owner, "refuse" holds that the number may have been given out again.
    phone_owner_policy: Mapped[str] = mapped_column(server_default="bind")
    created_at: Mapped[Made]
