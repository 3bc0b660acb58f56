"""Server-side login sessions, found by the hash of the login token."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment


class LoginSession(Model):
    """A bound session has a user. An unbound session only has a WeChat identity."""

    __tablename__ = "login_sessions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "token_hash"),
        UniqueConstraint("tenant_id", "refresh_family_hash"),
        ForeignKeyConstraint(
            ["tenant_id", "appid"], ["wechat_apps.tenant_id", "wechat_apps.appid"]
        ),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "social_account_id"],
            ["social_accounts.tenant_id", "social_accounts.id"],
        ),
        CheckConstraint("num_nonnulls(user_id, social_account_id) > 0", name="whose"),
        CheckConstraint("(user_id IS NULL) = (refresh_hash IS NULL)", name="refresh_if_bound"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended"),
        CheckConstraint("(refreshed_at IS NULL) = (refresh_salt IS NULL)", name="refreshed"),
        # For the look-up of tokens that do not name their tenant.
        *(
            Index(None, column, postgresql_where=text(f"NOT names_tenant AND {column} IS NOT NULL"))
            for column in ("token_hash", "refresh_family_hash", "previous_token_hash")
        ),
        Index(
            None,
            "tenant_id",
            "previous_token_hash",
            postgresql_where=text("previous_token_hash IS NOT NULL"),
        ),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "social_account_id"),
        Index(None, "tenant_id", "appid", "id"),
        # Counts the active sessions of a user in an app, for the session limit.
        Index(
            "ix_login_sessions_active",
            "tenant_id",
            "user_id",
            "appid",
            "refresh_expires_at",
            postgresql_where=text("ended_at IS NULL AND user_id IS NOT NULL"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id]
    appid: Mapped[str]
    social_account_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]

    # False if a token of the session may not name its tenant: the current pair, the pair before, or
    # one that release 0.3.0 has issued. True after a refresh with a token that names the tenant.
    names_tenant: Mapped[bool] = mapped_column(server_default="false")
    token_hash: Mapped[bytes]
    # The hash of the replaced token, which is rejected with SessionReplaced.
    previous_token_hash: Mapped[bytes | None]
    expires_at: Mapped[Moment]
    refresh_family_hash: Mapped[bytes | None]
    refresh_hash: Mapped[bytes | None]
    refresh_expires_at: Mapped[Moment | None]
    # The inputs of the last refresh, from which a lost response can be computed again.
    previous_refresh_hash: Mapped[bytes | None]
    refresh_salt: Mapped[bytes | None]
    refreshed_at: Mapped[Moment | None]

    # Whether the session was ever bound. Its WeChat identity was then proven for that binding only.
    was_bound: Mapped[bool] = mapped_column(server_default="false")
    # A blind index of the phone number that was verified while the session was unbound.
    verified_number_index: Mapped[bytes | None]

    device: Mapped[str | None]
    ip: Mapped[str | None]
    created_at: Mapped[Made]
    seen_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    end_reason: Mapped[str | None]
