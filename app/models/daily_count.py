"""Counts of login events by day and app, without personal data."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Sum


class Measure(StrEnum):
    """The counted events. Each value is the name of a column, in the order of the columns.

    A client that repeats a code gets the same login, which is counted once. `NEWCOMERS` and
    `BECAME_USERS` count WeChat identities, not events. Both count an identity on the day of its
    first login in the app (docs/decisions/0014).
    """

    OPENED = "opened"  # a wx.login code was exchanged or rejected
    LOGGED_IN = "logged_in"  # a code opened a session
    KNOWN = "known"  # the identity of a code already belonged to a user
    LOGGED_IN_BY_PASSWORD = "logged_in_by_password"  # noqa: S105 - a session without a code
    REGISTERED = "registered"  # a user was registered
    PHONE_VERIFIED = "phone_verified"  # WeChat returned a valid phone number
    BOUND_BY_PHONE = "bound_by_phone"  # a verified phone number bound the identity to a user
    BOUND_BY_PASSWORD = "bound_by_password"  # noqa: S105 - bound by account and password
    FAILED = "failed"  # a request failed (daily_failures has the reasons)
    NEWCOMERS = "newcomers"  # a WeChat identity opened the app for the first time
    BECAME_USERS = "became_users"  # a newcomer was bound to a user, then or later


class DailyCount(Model):
    """One row per app and day, with one column per measure.

    A report on 30 days of a tenant with a thousand apps reads about 30,000 rows.
    """

    __tablename__ = "daily_counts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
    )

    # In this order the last days of all apps of a tenant are adjacent.
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    # A day in Asia/Shanghai.
    day: Mapped[date] = mapped_column(primary_key=True)
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
    newcomers: Mapped[Sum]
    became_users: Mapped[Sum]
