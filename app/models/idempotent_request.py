"""Idempotency keys of the admin API, with the stored response."""

from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment, Sealed


class IdempotentRequest(Model):
    """The request that inserts the row is executed. Its response is stored encrypted."""

    __tablename__ = "idempotent_requests"
    __table_args__ = (
        UniqueConstraint("operator_id", "key"),
        CheckConstraint("(status IS NULL) = (answer_sealed IS NULL)", name="answered"),
    )

    id: Mapped[Id]
    # Not a foreign key, because a distributed database could then not delete a row together with
    # the rows of a user. Operators are never deleted.
    operator_id: Mapped[UUID]
    key: Mapped[str]
    # A blind index of the request. A plain hash would make a password in the request guessable.
    request_index: Mapped[bytes]
    asked_at: Mapped[Moment] = mapped_column(index=True)
    status: Mapped[int | None]
    # The user in the response, if any. Erasing the user deletes the row. Not a foreign key, because
    # this table has no tenant_id and users are sharded by tenant.
    user_id: Mapped[UUID | None] = mapped_column(index=True)
    answer_sealed: Mapped[str | None]
    answer = Sealed("id")
