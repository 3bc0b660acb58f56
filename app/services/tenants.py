"""Tenants, for operators."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import TenantExists, TenantUnknown
from app.models import Tenant
from app.models.columns import new_id
from app.services import audit
from app.services.transactions import transaction, violated


def add_tenant(slug: str, name: str, phone_owner_policy: str = "bind") -> None:
    """Create a tenant; raise TenantExists."""
    try:
        with transaction() as db:
            tenant = Tenant(
                id=new_id(), slug=slug, name=name, phone_owner_policy=phone_owner_policy
            )
            db.add(tenant)
            db.flush()
            audit.record(db, tenant.id, audit.OPERATOR, "tenant.added", slug)
    except IntegrityError as error:
        if violated(error) == "uq_tenants_slug":
            raise TenantExists from None
        raise


def set_phone_owner_policy(slug: str, policy: str) -> None:
    """Say what a phone proves whose owner has another WeChat identity; raise TenantUnknown."""
    with transaction() as db:
        tenant = get_tenant(db, slug)
        tenant.phone_owner_policy = policy
        audit.record(
            db, tenant.id, audit.OPERATOR, "tenant.changed", slug, phone_owner_policy=policy
        )


def list_tenants() -> Sequence[Tenant]:
    """List every tenant by slug."""
    with transaction() as db:
        return db.scalars(select(Tenant).order_by(Tenant.slug)).all()


def tenant_id_of(slug: str) -> UUID:
    """Find a tenant's id, in a transaction of its own; raise TenantUnknown."""
    with transaction() as db:
        return get_tenant(db, slug).id


def get_tenant(db: Session, slug: str) -> Tenant:
    """Find a tenant inside the caller's transaction; raise TenantUnknown."""
    tenant = db.scalar(select(Tenant).where(Tenant.slug == slug))
    if tenant is None:
        raise TenantUnknown
    return tenant
