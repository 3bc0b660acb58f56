"""The oldest release that can run on the present schema."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model


class SchemaCompatibility(Model):
    """A table of one row. Migrations write it (`migrations/env.py`), the readiness check reads it.

    `compatible_since` is the head revision of that release.
    """

    __tablename__ = "schema_compatibility"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    compatible_since: Mapped[str]
