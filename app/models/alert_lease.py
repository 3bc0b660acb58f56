"""The process that evaluates the conditions of alerts."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class AlertLease(Model):
    """One row: the process that evaluates and sends, until when, and its last evaluation."""

    __tablename__ = "alert_leases"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder: Mapped[str]
    until: Mapped[Moment]
    evaluated_at: Mapped[Moment | None]
