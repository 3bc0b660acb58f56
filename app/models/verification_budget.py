"""The number of a tenant's AppSecret verifications in the current minute."""

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Model
from app.models.columns import Moment


class VerificationBudget(Model):
    """Not columns of `tenants`, because a write there invalidates the caches of all workers."""

    __tablename__ = "verification_budgets"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    window_began: Mapped[Moment]
    calls: Mapped[int]
