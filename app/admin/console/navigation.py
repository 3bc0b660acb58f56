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
    MenuItem("console_home", N_("Home"), "home"),
    MenuItem("console_failures", N_("Login failures"), "alert-triangle"),
    MenuItem("console_apps", N_("Mini-programs"), "apps"),
    MenuItem("console_users", N_("Users"), "users"),
    MenuItem("console_people", N_("Import and export"), "transfer", hidden_from_viewers=True),
    MenuItem("console_sessions", N_("Sessions"), "devices"),
    MenuItem("console_alerts", N_("Alerts"), "bell"),
    MenuItem("console_audit", N_("Audit log"), "history"),
)
PLATFORM_ITEMS = (
    MenuItem("console_tenants", N_("Tenants"), "building"),
    MenuItem("console_all_failures", N_("Failures of all tenants"), "alert-triangle"),
    MenuItem("console_operators", N_("Admins"), "shield"),
    MenuItem("console_platform_alerts", N_("Platform alerts"), "bell"),
    MenuItem("console_service-audit", N_("Platform audit log"), "history"),
)
ACCOUNT_ITEMS = (MenuItem("console_account", N_("Account security"), "lock"),)
LABELS: Mapping[str, str] = {
    item.blueprint: item.label for item in (*TENANT_ITEMS, *PLATFORM_ITEMS, *ACCOUNT_ITEMS)
}


def init_app(app: Flask) -> None:
    """Register the functions that the layout calls."""
    for one in (tenant_menu, platform_menu, page_label):
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


def _tenant_items() -> Iterator[MenuItem]:
    for item in TENANT_ITEMS:
        if signed_in().may_change or not item.hidden_from_viewers:
            yield item
