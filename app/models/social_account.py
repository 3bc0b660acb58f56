"""WeChat identities. Each belongs to one person in one app."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment


class SocialAccount(Model):
    __tablename__ = "social_accounts"
    __table_args__ = (
        UniqueConstraint("tenant_id", "appid", "openid"),
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        ForeignKeyConstraint(["tenant_id", "merge_id"], ["merges.tenant_id", "merges.id"]),
        Index(None, "tenant_id", "user_id"),
        # Partial, because most identities have no merge, and those of many tenants no unionid.
        Index(None, "tenant_id", "merge_id", postgresql_where=text("merge_id IS NOT NULL")),
        Index(None, "tenant_id", "unionid", postgresql_where=text("unionid IS NOT NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id]
    appid: Mapped[str]
    openid: Mapped[str]
    unionid: Mapped[str | None]
    user_id: Mapped[UUID | None]
    # The merge that moved the identity to its current user.
    merge_id: Mapped[UUID | None]
    # False after the person unbound the identity. Only a phone number or password links it again.
    joins_by_unionid: Mapped[bool] = mapped_column(server_default="true")
    nickname: Mapped[str | None]
    avatar_url: Mapped[str | None]
    last_login_at: Mapped[Moment]
    created_at: Mapped[Made]

    @property
    def was_never_bound(self) -> bool:
        """Whether the identity has no user and never had one."""
        return self.user_id is None and self.joins_by_unionid
