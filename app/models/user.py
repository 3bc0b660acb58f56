"""The users of the tenants."""

from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment, one_of


class User(Model):
    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("tenant_id", "account"),
        ForeignKeyConstraint(["tenant_id", "merged_into_id"], ["users.tenant_id", "users.id"]),
        one_of("status", "active", "disabled", "merged"),
        CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged_into"),
        CheckConstraint("password_hash IS NULL OR account IS NOT NULL", name="password_of_account"),
        CheckConstraint("gender BETWEEN 0 AND 2", name="gender"),
        CheckConstraint("erase_after IS NULL OR status <> 'merged'", name="erase_after"),
        Index(
            None, "tenant_id", "merged_into_id", postgresql_where=text("merged_into_id IS NOT NULL")
        ),
        Index(None, "tenant_id", "erase_after", postgresql_where=text("erase_after IS NOT NULL")),
        # Indexes for prefix search, independent of the database's collation. Most users register
        # with WeChat and have neither an account nor a nickname.
        Index(
            "ix_users_tenant_id_account_prefix",
            "tenant_id",
            "account",
            postgresql_ops={"account": "text_pattern_ops"},
            postgresql_where=text("account IS NOT NULL"),
        ),
        Index(
            "ix_users_tenant_id_nickname_prefix",
            "tenant_id",
            func.lower(literal_column("nickname")).label("nickname_prefix"),
            postgresql_ops={"nickname_prefix": "text_pattern_ops"},
            postgresql_where=text("nickname IS NOT NULL"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[Id]
    account: Mapped[str | None]
    nickname: Mapped[str | None]
    avatar_url: Mapped[str | None]
    gender: Mapped[int] = mapped_column(server_default="0")
    level: Mapped[int] = mapped_column(server_default="0")
    status: Mapped[str] = mapped_column(server_default="active")
    merged_into_id: Mapped[UUID | None]
    password_hash: Mapped[str | None]
    last_login_at: Mapped[Moment | None]
    last_login_ip: Mapped[str | None]
    # Set while the account is closed. A login before this time reopens the account.
    erase_after: Mapped[Moment | None]
    created_at: Mapped[Made]
