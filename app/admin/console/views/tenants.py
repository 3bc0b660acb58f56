"""Pages on which platform admins list and add tenants, and the console's start page."""

from functools import partial

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import TenantForm
from app.admin.console.lists import ListFilter, filter_value, read_list
from app.admin.console.page_access import require_platform_admin
from app.admin.console.page_scope import signed_in
from app.admin.console.pages import own_pages, render_page
from app.admin.console.submissions import done, process_form
from app.errors import Failure
from app.i18n_marker import N_
from app.services.apps import tenants as service
from app.services.apps.tenants import ShownTenant
from app.services.database.paging import OffsetPage, Page

# The tenants that the sidebar offers. More are found by search.
MOST_CHOICES = 20

pages = own_pages("tenants", "tenants", require_platform_admin)
start_page = own_pages("first", "")


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show a page of the tenants, and the form that adds a tenant."""
    return _show_list(TenantForm(formdata=None))


@pages.route("/choices")
def choices() -> ResponseReturnValue:
    """Show the first tenants that match the text in the sidebar."""
    found = service.find_tenants(filter_value("search"), OffsetPage(size=MOST_CHOICES))
    return render_template("console/tenant_choices.html", tenants=found.items)


@pages.route("/add", methods=["GET", "POST"])
@restores(TenantForm)
def add() -> ResponseReturnValue:
    """Add a tenant, and redirect to its home page."""
    form = TenantForm()
    return process_form(
        form,
        lambda: service.add_tenant(form.slug.data, form.name.data, actor=signed_in().actor),
        lambda _: done(
            url_for("console_home.index", slug=form.slug.data), gettext("The tenant was added.")
        ),
        partial(_show_list, form),
    )


def _show_list(form: TenantForm, failure: Failure | None = None) -> ResponseReturnValue:
    tenants = read_list(_find, [ListFilter("search", N_("Name or short name"))])
    return render_page("console/tenants.html", failure, tenants=tenants, form=form)


def _find(offset_page: OffsetPage) -> Page[ShownTenant]:
    return service.find_tenants(filter_value("search"), offset_page)


@start_page.route("/", endpoint="index")
def redirect_to_first_page() -> ResponseReturnValue:
    """Redirect to the operator's own tenant, or a platform admin to the list of tenants."""
    return redirect(_first_page(signed_in().tenant_slug))


def _first_page(slug: str | None) -> str:
    return url_for("console_home.index", slug=slug) if slug else url_for("console_tenants.index")
