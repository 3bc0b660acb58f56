"""Tenant scope: the one tenant that an operator works on."""

from dataclasses import dataclass
from uuid import UUID

from app.errors import RoleTooLow, TenantUnknown
from app.services.apps.tenants import get_tenant
from app.services.audit import Actor
from app.services.database.transactions import transaction
from app.services.operators.sessions import SignedIn


@dataclass(frozen=True, slots=True)
class TenantScope:
    """An operator and the only tenant that the operations of this package access."""

    actor: Actor
    tenant_id: UUID
    tenant_slug: str
    may_change: bool
    is_platform: bool

    def require_platform_admin(self) -> None:
        """Raise RoleTooLow unless the operator is a platform admin."""
        if not self.is_platform:
            raise RoleTooLow

    def refuse_reader(self) -> None:
        """Raise RoleTooLow if the operator is a tenant viewer."""
        if not self.may_change:
            raise RoleTooLow


def open_tenant_scope(signed_in: SignedIn, tenant_slug: str) -> TenantScope:
    """Return the scope of the operator's own tenant, or of any tenant for platform admins.

    Raises TenantUnknown both for another tenant and for one that does not exist.
    """
    if signed_in.role != "platform" and signed_in.tenant_slug != tenant_slug:
        raise TenantUnknown
    tenant_id, is_platform = signed_in.tenant_id, signed_in.role == "platform"
    if tenant_id is None:
        with transaction() as db:
            tenant_id = get_tenant(db, tenant_slug).id
    return TenantScope(signed_in.actor, tenant_id, tenant_slug, signed_in.may_change, is_platform)
