"""Mutes of future alerts."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment


class AlertMute(Model):
    """Suppresses the messages about a condition, until a time. None stands for all values."""

    __tablename__ = "alert_mutes"
    __table_args__ = (Index(None, "tenant_id", "id"),)

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    appid: Mapped[str | None]
    condition: Mapped[str | None]
    until: Mapped[Moment]
    created_at: Mapped[Made]
