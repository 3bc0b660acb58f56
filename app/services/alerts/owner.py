"""The tenant, or the platform, that alerts and channels belong to."""

from dataclasses import dataclass
from uuid import UUID

from app.services.audit import Actor


@dataclass(frozen=True, slots=True)
class Owner:
    """An operator, and the tenant of the alerts, or None for the platform.

    Callers check that the operator may change them.
    """

    actor: Actor
    tenant_id: UUID | None
