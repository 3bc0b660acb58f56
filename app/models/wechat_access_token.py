"""WeChat's token for its server APIs, shared by every process."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment, Sealed


class WeChatAccessToken(Model):
    """One row an app. Whoever sets `refreshing_until` fetches the next token; the others wait."""

    __tablename__ = "wechat_access_tokens"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        CheckConstraint("(token_sealed IS NULL) = (expires_at IS NULL)", name="expiry"),
    )

    appid: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    token_sealed: Mapped[str | None]
    expires_at: Mapped[Moment | None]
    refreshing_until: Mapped[Moment | None]
    token = Sealed("appid")
