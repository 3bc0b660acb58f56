"""Counts of login events by minute and app, kept for a day."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Sum
from app.models.daily_count import Measure

# The measures that are counted by minute. The other two belong to the day of a first login.
EVENTS = tuple(one for one in Measure if one not in (Measure.NEWCOMERS, Measure.BECAME_USERS))


class MinuteCount(Model):
    """One row per app and minute with events, with one column per measure of `EVENTS`."""

    __tablename__ = "minute_counts"
    __table_args__ = (
        # The previous release deletes apps without deleting these rows.
        ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            ondelete="CASCADE",
        ),
        # Each process updates the rows of the present minute every few seconds. With free space in
        # the page, an update adds no index entries.
        {"postgresql_with": {"fillfactor": "50"}},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    # The beginning of the minute.
    minute: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    appid: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[Sum]
    logged_in: Mapped[Sum]
    known: Mapped[Sum]
    logged_in_by_password: Mapped[Sum]
    registered: Mapped[Sum]
    phone_verified: Mapped[Sum]
    bound_by_phone: Mapped[Sum]
    bound_by_password: Mapped[Sum]
    failed: Mapped[Sum]
