"""The config table: anything with an appid, and the secrets it talks to WeChat with."""

from typing import Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made, Moment, Sealed, one_of

# A number, "off" for no limit, or None for the default.
SessionLimit = int | Literal["off"] | None
DEFAULT_SESSION_LIMIT = 50


class WeChatApp(Model):
    __tablename__ = "wechat_apps"
    __table_args__ = (
        UniqueConstraint("tenant_id", "appid"),
        one_of("kind", "mini_program"),
        one_of("registration", "on_login", "on_phone", "closed"),
        one_of("data_format", "xml", "json"),
        CheckConstraint("session_limit > 0", name="session_limit"),
    )

    appid: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(server_default="mini_program")
    name: Mapped[str]
    registration: Mapped[str] = mapped_column(server_default="on_phone")
    data_format: Mapped[str] = mapped_column(server_default="json")
    # How many active sessions a user may have in the app. Without a number it is the default,
    # or no limit if `unlimited_sessions`. `session_limit` reads and writes the two together.
    max_sessions: Mapped[int | None] = mapped_column("session_limit")
    unlimited_sessions: Mapped[bool] = mapped_column(server_default="false")
    enabled: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Made]

    secret_sealed: Mapped[str]
    # What the AppSecret becomes once WeChat no longer takes the one in use.
    next_secret_sealed: Mapped[str | None]
    push_token_sealed: Mapped[str | None]
    encoding_aes_key_sealed: Mapped[str | None]
    # When they were entered, as far as that was noted.
    secret_set_at: Mapped[Moment | None]
    next_secret_set_at: Mapped[Moment | None]
    push_secrets_set_at: Mapped[Moment | None]
    secret = Sealed("appid")
    next_secret = Sealed("appid")
    push_token = Sealed("appid")
    encoding_aes_key = Sealed("appid")

    @property
    def session_limit(self) -> SessionLimit:
        """The session limit as an operator set it."""
        if self.max_sessions is None and self.unlimited_sessions:
            return "off"
        return self.max_sessions

    @session_limit.setter
    def session_limit(self, limit: SessionLimit) -> None:
        self.max_sessions = None if limit == "off" else limit
        self.unlimited_sessions = limit == "off"

    @property
    def effective_session_limit(self) -> int | None:
        """The number of sessions a user may have; None without a limit."""
        limit = self.session_limit
        return None if limit == "off" else limit or DEFAULT_SESSION_LIMIT
