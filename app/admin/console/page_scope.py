"""Request context of a console page: operator, tenant and return path."""

from typing import Any, cast

from flask import (
    g,
    request,
)

from app.admin.console.cookies import (
    ROOT,
)
from app.services.operators.sessions import SignedIn
from app.services.tenant_admin.tenant_scope import TenantScope, open_tenant_scope


def address_to_show() -> str:
    """Return the path of the page to show after a sign-in or step-up, without the path prefix.

    For a GET request it is the requested path. For a form it is the path of the form, if it accepts
    GET, otherwise the home page of the tenant or the start page of the console.
    """
    if request.method == "GET":
        return request.full_path.rstrip("?")
    if request.url_rule is not None and "GET" in (request.url_rule.methods or ()):
        return request.path
    return f"{ROOT}/t/{g.tenant_slug}/" if "tenant_slug" in g else f"{ROOT}/"


def signed_in() -> SignedIn:
    """Return the signed-in operator, as stored in `g` by the access check."""
    return cast(SignedIn, g.signed_in)


def this_tenant_scope() -> TenantScope:
    """Return the scope of the tenant in the URL of the page.

    Raises:
        TenantUnknown: The tenant does not exist, or the operator has no access to it.
    """
    if "tenant_scope" not in g:
        g.tenant_scope = open_tenant_scope(signed_in(), g.tenant_slug)
    return cast(TenantScope, g.tenant_scope)


def tenant_scope_for_changes() -> TenantScope:
    """Return the scope of the tenant in the URL of the page. Raise RoleTooLow for a viewer."""
    scope = this_tenant_scope()
    scope.refuse_reader()
    return scope


def take_tenant(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Move the URL value `slug` to `g.tenant_slug`, so that views take no slug parameter."""
    g.tenant_slug = (values or {}).pop("slug")


def add_tenant(_endpoint: str, values: dict[str, Any]) -> None:
    """Add the slug of the current tenant to links to tenant pages, unless one is given."""
    if "tenant_slug" in g:
        values.setdefault("slug", g.tenant_slug)
