"""Tenants: adding, changing, listing and finding them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import TenantExists, TenantUnknown
from app.errors.sqlstates import violated_constraint
from app.models import Tenant
from app.models.columns import new_id
from app.services import audit
from app.services.database.paging import (
    CursorPage,
    Listing,
    OffsetListing,
    OffsetPage,
    Page,
    read_offset_page,
    read_page,
)
from app.services.database.transactions import transaction


@dataclass(frozen=True, slots=True)
class ShownTenant:
    """A tenant as shown to platform admins."""

    id: UUID
    slug: str
    name: str
    status: str
    phone_owner_policy: str
    visitor_days: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """New settings of a tenant. None leaves a setting as it is."""

    name: str | None = None
    status: str | None = None
    phone_owner_policy: str | None = None
    grace_days: int | None = None
    audit_days: int | None = None
    visitor_days: int | None = None

    def given(self) -> dict[str, str | int]:
        """Return the settings that change, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def apply_to(self, tenant: Tenant) -> None:
        """Set the given settings on a tenant's row."""
        if self.name is not None:
            tenant.name = self.name
        if self.status is not None:
            tenant.status = self.status
        if self.phone_owner_policy is not None:
            tenant.phone_owner_policy = self.phone_owner_policy
        if self.grace_days is not None:
            tenant.grace_days = self.grace_days
        if self.audit_days is not None:
            tenant.audit_days = self.audit_days
        if self.visitor_days is not None:
            tenant.visitor_days = self.visitor_days


def add_tenant(
    slug: str, name: str, phone_owner_policy: str = "bind", actor: audit.Actor = audit.OPERATOR
) -> None:
    """Create a tenant. Raises TenantExists if the slug is taken."""
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
        if violated_constraint(error) == "uq_tenants_slug":
            raise TenantExists from None
        raise


def change_tenant(slug: str, settings: TenantSettings, actor: audit.Actor = audit.OPERATOR) -> None:
    """Change settings of a tenant. They apply to the next request. Raises TenantUnknown."""
    with transaction() as db:
        tenant = get_tenant(db, slug, lock=True)
        told = audit.before_and_after(tenant, settings.given())
        settings.apply_to(tenant)
        audit.record(db, tenant.id, actor, "tenant.changed", slug, **told)


def list_tenants() -> Sequence[Tenant]:
    """Return all tenants, ordered by slug."""
    with transaction() as db:
        return db.scalars(select(Tenant).order_by(Tenant.slug)).all()


def find_tenants(text: str | None, offset_page: OffsetPage) -> Page[ShownTenant]:
    """Return a numbered page of tenants, by slug. `text` is a part of slug or name."""
    wanted: list[ColumnElement[bool]] = []
    if text is not None:
        named = (one.icontains(text, autoescape=True) for one in (Tenant.slug, Tenant.name))
        wanted.append(or_(*named))
    listing = OffsetListing(select(Tenant), Tenant.slug, wanted, {"slug": Tenant.slug})
    with transaction() as db:
        return read_offset_page(db, listing, replace(offset_page, by="slug"), _shown)


def show_tenant(slug: str) -> ShownTenant:
    """Return one tenant. Raises TenantUnknown."""
    with transaction() as db:
        return _shown(get_tenant(db, slug))


def page_of_tenants(cursor_page: CursorPage) -> Page[ShownTenant]:
    """Return a page of tenants, ordered by slug. Raises CursorInvalid."""
    listing = Listing(select(Tenant), Tenant.slug, "tenants", is_ascending=True)
    with transaction() as db:
        return read_page(db, listing, cursor_page, _shown)


def tenant_id_of(slug: str) -> UUID:
    """Return a tenant's id, read in a separate transaction. Raises TenantUnknown."""
    with transaction() as db:
        return get_tenant(db, slug).id


def _shown(tenant: Tenant) -> ShownTenant:
    return ShownTenant(
        tenant.id,
        tenant.slug,
        tenant.name,
        tenant.status,
        tenant.phone_owner_policy,
        tenant.visitor_days,
        tenant.created_at,
    )


def get_tenant(db: Session, slug: str, *, lock: bool = False) -> Tenant:
    """Return a tenant in the caller's transaction, locked if `lock`. Raises TenantUnknown."""
    one = select(Tenant).where(Tenant.slug == slug)
    # A slug from a URL can contain characters, such as NUL, that PostgreSQL rejects with an error.
    can_be_one = slug.isascii() and slug.isprintable()
    tenant = db.scalar(one.with_for_update() if lock else one) if can_be_one else None
    if tenant is None:
        raise TenantUnknown
    return tenant
