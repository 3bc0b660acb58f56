"""Messages that WeChat pushed. Each is stored once and handled once."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment, Sealed


class WeChatPush(Model):
    """Handling deletes the message. The row is kept to detect repeated deliveries."""

    __tablename__ = "wechat_pushes"
    __table_args__ = (
        UniqueConstraint("tenant_id", "appid", "key_index"),
        UniqueConstraint("tenant_id", "appid", "delivery_index"),
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        CheckConstraint("(handled_at IS NULL) = (message_sealed IS NOT NULL)", name="message"),
        CheckConstraint("handled_at IS NULL OR failure IS NULL", name="failure"),
        Index(None, "tenant_id", "appid", "person_index"),
        Index(None, "tenant_id", "event", "id", postgresql_where=text("handled_at IS NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id]
    appid: Mapped[str]
    event: Mapped[str]
    # Blind indexes of the deduplication key of the message and of the signature of the delivery.
    key_index: Mapped[bytes]
    delivery_index: Mapped[bytes]
    # A blind index of the openid of the person concerned, until that person is erased.
    person_index: Mapped[bytes | None]
    received_at: Mapped[Moment]
    handled_at: Mapped[Moment | None]
    failure: Mapped[str | None]
    message_sealed: Mapped[str | None]
    message = Sealed("id")
