"""Which tenant's desk it is, for those who run the service, who may sit at any."""

from flask import request, session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.forms import TenantForm
from app.admin.console.guard import TENANT, signed_in
from app.admin.console.pages import Page, done
from app.catalogue import N_
from app.errors import Failure, TenantUnknown
from app.services import tenants as service
from app.services.desks import open_desk


class TenantsView(Page):
    """Choose a tenant, or add one."""

    for_platform, of_tenant = True, False
    # The name of the tenant, above every page, leads here.
    in_menu = False

    def __init__(self) -> None:
        super().__init__(name=N_("Tenants"), endpoint="console_tenants", url="tenants")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """List them all."""
        return self._shown(TenantForm(formdata=None))

    @expose("/choose", methods=["POST"])
    def choose(self) -> ResponseReturnValue:
        """Sit down at the desk of one."""
        return _sit_down(request.form.get("slug", ""), gettext("This is the tenant's desk now."))

    @expose("/add", methods=["POST"])
    def add(self) -> ResponseReturnValue:
        """Add one, and sit down at its desk."""
        form = TenantForm()
        if not form.validate_on_submit():
            return self._shown(form)
        try:
            service.add_tenant(form.slug.data, form.name.data, actor=signed_in().actor)
        except Failure as failure:
            return self._shown(form, failure=failure)
        return _sit_down(form.slug.data, gettext("Added. This is the tenant's desk now."))

    def _shown(self, form: TenantForm, **more: object) -> ResponseReturnValue:
        tenants = service.list_tenants()
        return self.render("console/tenants.html", tenants=tenants, form=form, **more)


def _sit_down(slug: str, message: str) -> ResponseReturnValue:
    if not slug.isprintable():
        raise TenantUnknown
    session[TENANT] = open_desk(signed_in(), slug).tenant_slug
    return done(url_for("console.index"), message)
