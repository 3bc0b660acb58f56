"""Imports of users from a file: preview, progress and result."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Id, Moment, Sealed, one_of


class UserImport(Model):
    """The imported rows are stored encrypted until the users exist or the preview has expired.

    `rows_done` counts the prepared rows. One transaction at the end inserts all users.
    """

    __tablename__ = "people_imports"
    __table_args__ = (
        one_of("state", "previewed", "running", "done", "failed"),
        CheckConstraint(
            "(state IN ('previewed', 'running')) = (people_sealed IS NOT NULL)", name="people"
        ),
        CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name="failure"),
        CheckConstraint("(state = 'done') = (imported_at IS NOT NULL)", name="imported_at"),
        CheckConstraint("rows_done BETWEEN 0 AND row_count", name="rows_done"),
        Index(None, "tenant_id", "file_index"),
        Index(None, "tenant_id", "expires_at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[Id]
    # The operator who uploaded the file. Only this operator may confirm it. None for the CLI.
    operator_id: Mapped[UUID | None]
    # A blind index of the file. A plain hash would make a file with one phone number guessable.
    file_index: Mapped[bytes]
    state: Mapped[str]
    row_count: Mapped[int]
    rows_done: Mapped[int] = mapped_column(server_default="0")
    failure: Mapped[str | None]
    # The time when a preview expires or a stalled import fails.
    expires_at: Mapped[Moment]
    imported_at: Mapped[Moment | None]
    people_sealed: Mapped[str | None]
    people = Sealed("id")
