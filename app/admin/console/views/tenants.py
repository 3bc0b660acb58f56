"""Pages on which platform admins list and add tenants, and the console's start page."""

from functools import partial

from flask import redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.cookies import ROOT
from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import TenantForm
from app.admin.console.page_scope import signed_in
from app.admin.console.pages import Page
from app.admin.console.submissions import done, process_form
from app.errors import Failure
from app.i18n_marker import N_
from app.services.apps import tenants as service


class TenantsView(Page):
    """List of tenants with links to their home pages. Only for platform admins."""

    for_platform, of_tenant = True, False
    # The header of every page links to the list.
    in_menu = False

    def __init__(self) -> None:
        super().__init__(name=N_("Tenants"), endpoint="console_tenants", url="tenants")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show all tenants, and the form that adds a tenant."""
        return self._show_list(TenantForm(formdata=None))

    @expose("/add", methods=["GET", "POST"])
    @restores(TenantForm)
    def add(self) -> ResponseReturnValue:
        """Add a tenant, and redirect to its home page."""
        form = TenantForm()
        return process_form(
            form,
            lambda: service.add_tenant(form.slug.data, form.name.data, actor=signed_in().actor),
            lambda _: done(
                url_for("console.index", slug=form.slug.data), gettext("The tenant was added.")
            ),
            partial(self._show_list, form),
        )

    def _show_list(self, form: TenantForm, failure: Failure | None = None) -> ResponseReturnValue:
        tenants = service.list_tenants()
        return self.render_page("console/tenants.html", tenants=tenants, form=form, failure=failure)


class FirstView(Page):
    """View of the console's start page, /console/."""

    of_tenant = in_menu = False

    def __init__(self) -> None:
        super().__init__(name="wxpass", endpoint="console_first", url=ROOT)

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Redirect to the operator's own tenant, or a platform admin to the list of tenants."""
        return redirect(_first_page(signed_in().tenant_slug))


def _first_page(slug: str | None) -> str:
    return url_for("console.index", slug=slug) if slug else url_for("console_tenants.index")
