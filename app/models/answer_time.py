"""Histograms of WeChat's response times, by day, app and API."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Sum, one_of

# Upper bounds of the histogram buckets in milliseconds. The last bucket includes slower calls.
BOUNDS = (
    *(10, 25, 50, 75, 100, 125, 150, 175, 200, 250, 300, 400, 500, 650, 800),
    *(1000, 1500, 2000, 3000, 4000, 5000, 8000, 30_000),
)
# The bucket of calls without a response.
UNANSWERED = 0


class AnswerTime(Model):
    __tablename__ = "answer_times"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        one_of("call", "login", "phone", "token"),
        CheckConstraint("within_ms >= 0", name="within_ms"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    # A day in Asia/Shanghai.
    day: Mapped[date] = mapped_column(primary_key=True)
    appid: Mapped[str] = mapped_column(primary_key=True)
    call: Mapped[str] = mapped_column(primary_key=True)
    # One of BOUNDS, or UNANSWERED.
    within_ms: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[Sum]
