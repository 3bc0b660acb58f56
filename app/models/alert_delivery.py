"""Messages about alerts that are to be sent or were sent."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment, Sum


class AlertDelivery(Model):
    """A message for one channel. The constraint permits one message per channel and evaluation.

    `claimed_at` is set before the message is sent. A row that stays claimed belongs to a process
    that was killed, and is not sent again.
    """

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        UniqueConstraint("channel_id", "evaluated_at"),
        Index("ix_alert_deliveries_due", "due_at", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[Id]
    channel_id: Mapped[UUID] = mapped_column(ForeignKey("alert_channels.id", ondelete="CASCADE"))
    # The minute of the evaluation.
    evaluated_at: Mapped[Moment]
    subject: Mapped[str]
    body: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    due_at: Mapped[Moment]
    claimed_at: Mapped[Moment | None]
    attempts: Mapped[Sum]
    finished_at: Mapped[Moment | None]
    # The reason of the last failure. None after a success.
    error: Mapped[str | None]
