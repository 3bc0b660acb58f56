"""The operator, the tenant and the CSP nonce of a console page."""

from secrets import token_urlsafe
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
    """Return the path, below the mount, of the page to show once the operator is signed in.

    It is the requested page. For a form it is the page that shows the form, if there is one, and
    the tenant's home page otherwise.
    """
    if request.method == "GET":
        return request.full_path.rstrip("?")
    if request.url_rule is not None and "GET" in (request.url_rule.methods or ()):
        return request.path
    return f"{ROOT}/t/{g.tenant_slug}/" if "tenant_slug" in g else f"{ROOT}/"


def signed_in() -> SignedIn:
    """Return the operator who is signed in."""
    return cast(SignedIn, g.signed_in)


def this_tenant_scope() -> TenantScope:
    """Return the scope of the tenant in the page's address.

    Raises:
        TenantUnknown: The tenant does not exist, or is not the operator's own.
    """
    if "tenant_scope" not in g:
        g.tenant_scope = open_tenant_scope(signed_in(), g.tenant_slug)
    return cast(TenantScope, g.tenant_scope)


def tenant_scope_for_changes() -> TenantScope:
    """Return the scope of the tenant in the page's address; raise RoleTooLow for a viewer."""
    scope = this_tenant_scope()
    scope.refuse_reader()
    return scope


def take_tenant(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Store the tenant of the address in `g`, so that views need not pass it on."""
    g.tenant_slug = (values or {}).pop("slug")


def add_tenant(_endpoint: str, values: dict[str, Any]) -> None:
    """Add the tenant of this page to links to tenant pages."""
    if "tenant_slug" in g:
        values.setdefault("slug", g.tenant_slug)


def nonce() -> str:
    """Return the CSP nonce of this response."""
    return str(g.setdefault("nonce", token_urlsafe(16)))
