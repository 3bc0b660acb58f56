"""The session_keys of social accounts, ordered by the time of the request to WeChat."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.extensions import Model
from app.models.columns import Id, Moment, Sealed


class SessionKey(Model):
    """WeChat often returns the same key again. The blind index makes each key one row."""

    __tablename__ = "session_keys"
    __table_args__ = (
        UniqueConstraint("tenant_id", "social_account_id", "key_index"),
        ForeignKeyConstraint(
            ["tenant_id", "social_account_id"],
            ["social_accounts.tenant_id", "social_accounts.id"],
        ),
    )
    # Updates and deletes of the mapper name the tenant, too.
    __mapper_args__ = {"primary_key": ["tenant_id", "id"]}  # noqa: RUF012

    id: Mapped[Id]
    tenant_id: Mapped[UUID]
    social_account_id: Mapped[UUID]
    key_index: Mapped[bytes]
    session_key_sealed: Mapped[str]
    asked_at: Mapped[Moment]
    # Not bound to the id: a login upserts the key before it knows the row.
    session_key = Sealed("social_account_id")
