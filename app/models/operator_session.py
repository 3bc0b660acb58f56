"""Sessions of operators. Console sessions use a cookie, script sessions use JWTs."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Made, Moment, one_of


class OperatorSession(Model):
    """`token_hash` is the hash of the token in the cookie, or of the refresh token family."""

    __tablename__ = "operator_sessions"
    __table_args__ = (
        one_of("kind", "console", "script"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended"),
        CheckConstraint("(kind = 'script') = (refresh_hash IS NOT NULL)", name="refresh_of_script"),
    )

    id: Mapped[Id]
    operator_id: Mapped[UUID] = mapped_column(ForeignKey("operators.id"), index=True)
    kind: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    refresh_hash: Mapped[bytes | None]
    # True until the one-time code is entered. Until then the session permits nothing else.
    awaits_code: Mapped[bool] = mapped_column(server_default="false")
    device: Mapped[str | None]
    ip: Mapped[str | None]
    created_at: Mapped[Made]
    # The time of the last step-up: password, and one-time code if enrolled.
    proven_at: Mapped[Made]
    seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    end_reason: Mapped[str | None]
