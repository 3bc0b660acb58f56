"""WeChat's access tokens, shared by all processes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment, Sealed


class WeChatAccessToken(Model):
    """One row per app. The process that sets `refreshing_until` fetches a token, others wait."""

    __tablename__ = "wechat_access_tokens"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        CheckConstraint("(token_sealed IS NULL) = (expires_at IS NULL)", name="expiry"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    appid: Mapped[str] = mapped_column(primary_key=True)
    token_sealed: Mapped[str | None]
    expires_at: Mapped[Moment | None]
    refreshing_until: Mapped[Moment | None]
    token = Sealed("appid")

    def is_good_until(self, moment: datetime) -> bool:
        """Return whether there is a token that is still valid at this time."""
        return self.expires_at is not None and self.expires_at > moment

    def is_being_refreshed(self, moment: datetime) -> bool:
        """Return whether a process holds the lease to fetch a new token at this time."""
        return self.refreshing_until is not None and self.refreshing_until > moment
