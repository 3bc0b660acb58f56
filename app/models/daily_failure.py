"""Counts of failed requests, by day, app and error code."""

from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Sum


class DailyFailure(Model):
    __tablename__ = "daily_failures"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    # A day in Asia/Shanghai.
    day: Mapped[date] = mapped_column(primary_key=True)
    appid: Mapped[str] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[Sum]
