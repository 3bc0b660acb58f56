"""Channels that deliver alerts."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment, Sealed, Sum, one_of

ALERT_CHANNEL_KINDS = ("email", "wecom", "dingtalk", "webhook")


class AlertChannel(Model):
    """An e-mail address, group robot or webhook of a tenant, or of the platform without a tenant.

    Tenants and the platform share the tables of alerts, as they share `audit_events`: the rules
    are the same, and one evaluation writes both (docs/decisions/0034).
    """

    __tablename__ = "alert_channels"
    __table_args__ = (
        one_of("kind", *ALERT_CHANNEL_KINDS),
        one_of("language", "en", "zh"),
        Index(None, "tenant_id", "id"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str]
    name: Mapped[str]
    language: Mapped[str]
    # The part of the target that operators may see again.
    shown: Mapped[str]
    # The address or URL, and the secret that signs messages.
    target_sealed: Mapped[str]
    secret_sealed: Mapped[str | None]
    created_at: Mapped[Made]
    delivered_at: Mapped[Moment | None]
    # The reason of the last failure, and the failures since the last success.
    last_error: Mapped[str | None]
    failed_at: Mapped[Moment | None]
    failures: Mapped[Sum]
    target = Sealed("id")
    secret = Sealed("id")
