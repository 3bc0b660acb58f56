"""Routes for platform admins to manage tenants: /v1/admin/tenants."""

from app.admin.api.access import platform_login, this_operator
from app.admin.api.blueprint import Blueprint, idempotent, paging_of
from app.api.openapi.tags import ADMIN_TENANTS
from app.errors import TenantExists, TenantUnknown
from app.schemas.admin_requests.platform import (
    NewTenantBody,
    NewTenantRequest,
    TenantChangeBody,
    TenantChangeRequest,
)
from app.schemas.admin_requests.queries import PageParams, PageQuery
from app.schemas.admin_responses.tenants import TenantListResponse, TenantResponse
from app.services.apps import tenants
from app.services.apps.tenants import ShownTenant
from app.services.database.paging import Page

blp = Blueprint("admin_tenants", __name__, url_prefix="/v1/admin/tenants", tag=ADMIN_TENANTS)


@blp.get("")
@platform_login
@blp.arguments(PageQuery, location="query")
@blp.response(200, TenantListResponse)
def list_tenants(query: PageParams) -> Page[ShownTenant]:
    """List tenants.

    For platform admins. Returns all tenants, sorted by slug.
    """
    return tenants.page_of_tenants(paging_of(query))


@blp.post("")
@platform_login
@idempotent
@blp.arguments(NewTenantRequest)
@blp.response(201, TenantResponse)
@blp.errors(TenantExists)
def add_tenant(body: NewTenantBody) -> ShownTenant:
    """Add a tenant.

    For platform admins. Adds an organisation with its own users. The slug cannot be changed
    later. Invite a tenant admin and add a mini-program next.
    """
    tenants.add_tenant(
        slug=body.slug,
        name=body.name,
        phone_owner_policy=body.phone_owner_policy,
        actor=this_operator().actor,
    )
    return tenants.show_tenant(body.slug)


@blp.patch("/<string:its_slug>")
@platform_login
@blp.arguments(TenantChangeRequest)
@blp.response(200, TenantResponse)
@blp.errors(TenantUnknown)
def change_tenant(body: TenantChangeBody, its_slug: str) -> ShownTenant:
    """Change a tenant.

    For platform admins. Changes the sent settings and leaves the others unchanged. Disabling
    takes effect for mini-programs, users and operators of the tenant immediately.
    """
    settings = tenants.TenantSettings(
        name=body.name,
        status=body.status,
        phone_owner_policy=body.phone_owner_policy,
        visitor_days=body.visitor_days,
    )
    tenants.change_tenant(its_slug, settings, this_operator().actor)
    return tenants.show_tenant(its_slug)
