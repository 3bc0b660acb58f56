"""The session_keys of social accounts, ordered by the time of the request to WeChat."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment, Sealed


class SessionKey(Model):
    """One row per account and session_key, found by a blind index: WeChat often repeats a key."""

    __tablename__ = "session_keys"
    __table_args__ = (
        UniqueConstraint("tenant_id", "social_account_id", "key_index"),
        ForeignKeyConstraint(
            ["tenant_id", "social_account_id"],
            ["social_accounts.tenant_id", "social_accounts.id"],
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[Id]
    social_account_id: Mapped[UUID]
    key_index: Mapped[bytes]
    session_key_sealed: Mapped[str]
    asked_at: Mapped[Moment]
    # The associated data has no row id, because a login upserts the row without reading its id.
    session_key = Sealed("social_account_id")
