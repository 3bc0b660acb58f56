"""Counts of failed requests, by minute, app, error code and WeChat's errcode, kept for a day."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Sum

# The value of `errcode` for failures that WeChat did not report. WeChat's 0 means success.
NO_ERRCODE = 0


class MinuteFailure(Model):
    __tablename__ = "minute_failures"
    __table_args__ = (
        # The previous release deletes apps without deleting these rows.
        ForeignKeyConstraint(
            ["tenant_id", "appid"],
            ["wechat_apps.tenant_id", "wechat_apps.appid"],
            ondelete="CASCADE",
        ),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    # The beginning of the minute.
    minute: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    appid: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    errcode: Mapped[int] = mapped_column(primary_key=True, server_default=str(NO_ERRCODE))
    count: Mapped[Sum]
    # This server's IP address as WeChat reported it, for errcodes about the address.
    our_ip: Mapped[str | None]
