"""The pages in the sidebar, in two groups: those of the tenant and those of the platform."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask import Flask, request, url_for

from app.admin.console.page_scope import signed_in
from app.admin.console.rendering import find_tenant_scope
from app.i18n_marker import N_


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page in the sidebar: the blueprint, the label and the name of the icon."""

    blueprint: str
    label: str
    icon: str
    hidden_from_viewers: bool = False

    @property
    def address(self) -> str:
        """The URL of the page, for the current tenant."""
        return url_for(f"{self.blueprint}.index")

    @property
    def is_current(self) -> bool:
        """Whether the request is for this page or a page below it."""
        return request.blueprint == self.blueprint


TENANT_ITEMS = (
    MenuItem("console_home", N_("Home"), icon="home"),
    MenuItem("console_failures", N_("Login failures"), icon="alert-triangle"),
    MenuItem("console_apps", N_("Mini-programs"), icon="apps"),
    MenuItem("console_users", N_("Users"), icon="users"),
    MenuItem("console_people", N_("Import and export"), icon="transfer", hidden_from_viewers=True),
    MenuItem("console_sessions", N_("Sessions"), icon="devices"),
    MenuItem("console_alerts", N_("Alerts"), icon="bell"),
    MenuItem("console_audit", N_("Audit log"), icon="history"),
)
PLATFORM_ITEMS = (
    MenuItem("console_tenants", N_("Tenants"), icon="building"),
    MenuItem("console_all_failures", N_("Failures of all tenants"), icon="alert-triangle"),
    MenuItem("console_operators", N_("Admins"), icon="shield"),
    MenuItem("console_platform_alerts", N_("Platform alerts"), icon="bell"),
    MenuItem("console_service-audit", N_("Platform audit log"), icon="history"),
)
ACCOUNT_ITEMS = (MenuItem("console_account", N_("Account security"), icon="lock"),)
LABELS: Mapping[str, str] = {
    item.blueprint: item.label for item in (*TENANT_ITEMS, *PLATFORM_ITEMS, *ACCOUNT_ITEMS)
}


def init_app(app: Flask) -> None:
    """Register the functions that the layout calls."""
    for one in (tenant_menu, platform_menu, page_label, is_subpage, search_address):
        app.add_template_global(one)


def tenant_menu() -> Sequence[MenuItem]:
    """Return the pages of the tenant of this request that the operator may open."""
    return list(_tenant_items()) if find_tenant_scope() is not None else []


def platform_menu() -> Sequence[MenuItem]:
    """Return the pages of the platform if the operator is a platform admin."""
    return PLATFORM_ITEMS if signed_in().role == "platform" else ()


def page_label() -> str:
    """Return the label of the page in the sidebar of the request, or an empty text."""
    return LABELS.get(request.blueprint or "", "")


def is_subpage() -> bool:
    """Return whether the page is not the first page of its section."""
    return request.method != "GET" or not (request.endpoint or "").endswith(".index")


def search_address() -> str:
    """Return the URL of the search: in the tenant of this request if it has one."""
    return url_for("console_search.index" if find_tenant_scope() else "console_find.index")


def _tenant_items() -> Iterator[MenuItem]:
    for item in TENANT_ITEMS:
        if signed_in().may_change or not item.hidden_from_viewers:
            yield item
