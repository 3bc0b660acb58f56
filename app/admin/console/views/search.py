"""Search over pages, tenants, mini-programs and users, for the command palette.

The search of a tenant finds its mini-programs and users. The search without a tenant finds pages,
and tenants for platform admins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.htmx import is_htmx
from app.admin.console.lists import filter_value
from app.admin.console.navigation import ACCOUNT_ITEMS, platform_menu, tenant_menu
from app.admin.console.page_scope import signed_in, this_tenant_scope
from app.admin.console.pages import own_pages, tenant_pages
from app.services.apps.tenants import find_tenants
from app.services.database.paging import OffsetPage
from app.services.tenant_admin.apps import find_apps_by_offset
from app.services.tenant_admin.user_search import search_users
from app.services.tenant_admin.users import FoundUser

SHORTEST, LONGEST = 2, 100
MOST_HITS = 5

pages = tenant_pages("search", "search")
own_search = own_pages("find", "search")


@dataclass(frozen=True, slots=True)
class Hit:
    """A result: a link with an icon, and a note that tells it from others of the same name."""

    text: str
    address: str
    icon: str
    note: str = ""


Groups = Sequence[tuple[str, Sequence[Hit]]]


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show pages, mini-programs and users of the tenant, and tenants for platform admins."""
    text = _asked()
    return _show(
        text,
        [*_found_anywhere(text), (gettext("Mini-programs"), _apps(text)), _users(text)],
    )


@own_search.route("/", endpoint="index")
def find() -> ResponseReturnValue:
    """Show pages, and tenants for platform admins."""
    return _show(_asked(), list(_found_anywhere(_asked())))


def _show(text: str, groups: Groups) -> ResponseReturnValue:
    template = "console/search_hits.html" if is_htmx() else "console/search.html"
    return render_template(template, asked=text, groups=[group for group in groups if group[1]])


def _asked() -> str:
    return (filter_value("q") or "")[:LONGEST]


def _found_anywhere(text: str) -> Iterator[tuple[str, Sequence[Hit]]]:
    yield gettext("Pages"), _pages(text)
    if signed_in().role == "platform":
        yield gettext("Tenants"), _tenants(text)


def _pages(text: str) -> Sequence[Hit]:
    """Return the pages whose label contains the text, and all pages without a text."""
    items = [*tenant_menu(), *platform_menu(), *ACCOUNT_ITEMS]
    hits = [Hit(gettext(one.label), one.address, one.icon) for one in items]
    return [one for one in hits if text.casefold() in one.text.casefold()]


def _tenants(text: str) -> Sequence[Hit]:
    if len(text) < SHORTEST:
        return ()
    found = find_tenants(text, OffsetPage(size=MOST_HITS)).items
    address = "console_home.index"
    return [
        Hit(one.name, url_for(address, slug=one.slug), icon="building", note=one.slug)
        for one in found
    ]


def _apps(text: str) -> Sequence[Hit]:
    if len(text) < SHORTEST:
        return ()
    found = find_apps_by_offset(this_tenant_scope(), text, OffsetPage(size=MOST_HITS)).items
    return [
        Hit(one.name, url_for("console_apps.show", app=one.appid), icon="apps", note=one.appid)
        for one in found
    ]


def _users(text: str) -> tuple[str, Sequence[Hit]]:
    is_enough = len(text) >= SHORTEST
    found = search_users(this_tenant_scope(), text, MOST_HITS) if is_enough else ()
    return gettext("Users"), [_user_hit(one) for one in found]


def _user_hit(user: FoundUser) -> Hit:
    known = [user.nickname, user.account, user.phone, str(user.id)]
    name, *others = [one for one in known if one]
    return Hit(
        name,
        url_for("console_users.show", user_id=user.id),
        icon="user",
        note=" · ".join(others[:2]),
    )
