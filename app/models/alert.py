"""Alerts: conditions that hold now or have held."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment


class Alert(Model):
    """A condition of a mini-program, or of the platform without a tenant and appid.

    `appid` has no foreign key: the alert of a released mini-program stays. Unique indexes permit
    one alert per condition that has not recovered.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_tenant_id_appid_condition",
            "tenant_id",
            "appid",
            "condition",
            unique=True,
            postgresql_where=text("recovered_at IS NULL AND tenant_id IS NOT NULL"),
        ),
        Index(
            "uq_alerts_condition",
            "condition",
            unique=True,
            postgresql_where=text("recovered_at IS NULL AND tenant_id IS NULL"),
        ),
        Index(None, "tenant_id", "id"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    appid: Mapped[str | None]
    condition: Mapped[str]
    # When the condition began, and when it was last observed.
    since: Mapped[Moment]
    seen_at: Mapped[Moment]
    # When it had lasted long enough. None before that.
    opened_at: Mapped[Moment | None]
    last_notified_at: Mapped[Moment | None]
    muted_until: Mapped[Moment | None]
    recovered_at: Mapped[Moment | None]
    # Names, numbers and msgids for the message.
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
