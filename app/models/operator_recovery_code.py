"""Unused recovery codes of operators. Each replaces a one-time code once."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Made


class OperatorRecoveryCode(Model):
    """An unused recovery code, as an HMAC with the pepper. Use of the code deletes the row."""

    __tablename__ = "operator_recovery_codes"

    operator_id: Mapped[UUID] = mapped_column(ForeignKey("operators.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    created_at: Mapped[Made]
