"""A tenant's desk: where an operator looks after one tenant, and nothing of another."""

from dataclasses import dataclass
from uuid import UUID

from app.errors import RoleTooLow, TenantUnknown
from app.services.audit import Actor
from app.services.operator_sessions import SignedIn
from app.services.tenants import get_tenant
from app.services.transactions import transaction


@dataclass(frozen=True, slots=True)
class Desk:
    """Who sits there, and the one tenant that everything done at it is about."""

    actor: Actor
    tenant_id: UUID
    tenant_slug: str
    may_change: bool

    def refuse_reader(self) -> None:
        """Raise RoleTooLow for whoever may only read."""
        if not self.may_change:
            raise RoleTooLow


def open_desk(signed_in: SignedIn, tenant_slug: str) -> Desk:
    """Sit down at a tenant's desk: one's own, or any for those who run the service.

    Raises TenantUnknown, for the neighbour's as for one that does not exist.
    """
    if signed_in.role != "platform" and signed_in.tenant_slug != tenant_slug:
        raise TenantUnknown
    tenant_id = signed_in.tenant_id
    if tenant_id is None:
        with transaction() as db:
            tenant_id = get_tenant(db, tenant_slug).id
    return Desk(signed_in.actor, tenant_id, tenant_slug, signed_in.may_change)
