"""Tenants, for operators."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import TenantExists, TenantUnknown
from app.models import Tenant
from app.models.columns import new_id
from app.services import audit
from app.services.paging import Listing, Page, Paging, read_page
from app.services.transactions import transaction, violated


def add_tenant(
    slug: str, name: str, phone_owner_policy: str = "bind", actor: audit.Actor = audit.OPERATOR
) -> None:
    """Create a tenant; raise TenantExists."""
    try:
        with transaction() as db:
            tenant = Tenant(
                id=new_id(), slug=slug, name=name, phone_owner_policy=phone_owner_policy
            )
            db.add(tenant)
            db.flush()
            after = {"name": name, "phone_owner_policy": phone_owner_policy}
            audit.record(db, tenant.id, actor, "tenant.added", slug, after=after)
    except IntegrityError as error:
        if violated(error) == "uq_tenants_slug":
            raise TenantExists from None
        raise


def change_tenant(
    slug: str, settings: Mapping[str, str | int], actor: audit.Actor = audit.OPERATOR
) -> None:
    """Change settings of a tenant, for the very next request; raise TenantUnknown."""
    with transaction() as db:
        tenant = db.scalar(select(Tenant).where(Tenant.slug == slug).with_for_update())
        if tenant is None:
            raise TenantUnknown
        told = audit.before_and_after(tenant, settings)
        for name, value in settings.items():
            setattr(tenant, name, value)
        audit.record(db, tenant.id, actor, "tenant.changed", slug, **told)


def list_tenants() -> Sequence[Tenant]:
    """List every tenant by slug."""
    with transaction() as db:
        return db.scalars(select(Tenant).order_by(Tenant.slug)).all()


def page_of_tenants(paging: Paging) -> Page[Tenant]:
    """List tenants by slug, page by page; raise CursorInvalid."""
    listing = Listing(select(Tenant), Tenant.slug, "tenants", is_ascending=True)
    with transaction() as db:
        return read_page(db, listing, paging, lambda tenant: tenant)


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
