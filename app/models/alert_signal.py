"""Conditions that only the affected process can observe."""

from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class AlertSignal(Model):
    """A condition of a process, such as caches that are off. The row of a process expires."""

    __tablename__ = "alert_signals"

    process: Mapped[str] = mapped_column(primary_key=True)
    condition: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[Moment]
    seen_at: Mapped[Moment]
