"""Admins: who may sign in to the console."""

from typing import TypeVar
from uuid import UUID

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext
from wtforms import SelectChoice

from app.admin.console.forms import InviteForm, RoleForm
from app.admin.console.guard import signed_in
from app.admin.console.pages import Page, chosen, done, shown_again
from app.admin.console.words import ROLES, STATUS
from app.catalogue import N_
from app.errors import Failure
from app.services import operators as service
from app.services.tenants import list_tenants

F = TypeVar("F", bound=InviteForm)


class OperatorsView(Page):
    """For those who run the service."""

    for_platform, of_tenant = True, False

    def __init__(self) -> None:
        super().__init__(name=N_("Admins"), endpoint="console_operators", url="operators")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """List them all."""
        return self._shown(_form())

    @expose("/invite", methods=["POST"])
    def invite(self) -> ResponseReturnValue:
        """Invite one, and show the link once."""
        form = _form()
        if not form.validate_on_submit():
            return self._shown(form)
        actor = signed_in().actor
        try:
            invitation = service.invite_operator(actor, form.email.data, *form.post())
        except Failure as failure:
            return self._shown(form, failure=failure)
        return self._shown(_form(), link=_link(invitation))

    @expose("/<uuid:operator_id>/role", methods=["GET", "POST"])
    def role(self, operator_id: UUID) -> ResponseReturnValue:
        """Give one another role, or another tenant."""
        one = service.show_operator(operator_id)
        form = _with_tenants(RoleForm(role=one.role, tenant=one.tenant_slug))
        actor, failure = signed_in().actor, None
        if form.validate_on_submit():
            failure = shown_again(lambda: service.change_role(actor, operator_id, *form.post()))
            if failure is None:
                return done(url_for(".index"), gettext("Changed."))
        page = self.render("console/operator_role.html", operator=one, form=form, failure=failure)
        return page, failure.status if failure else 200

    @expose("/<uuid:operator_id>/reset", methods=["POST"])
    def reset(self, operator_id: UUID) -> ResponseReturnValue:
        """Take password and codes away, and show a new link once."""
        invitation = service.reset_operator(signed_in().actor, operator_id)
        return self._shown(_form(), link=_link(invitation))

    @expose("/<uuid:operator_id>/status", methods=["POST"])
    def status(self, operator_id: UUID) -> ResponseReturnValue:
        """Switch one off or on."""
        status = chosen("status", "active", "disabled")
        service.set_operator_status(signed_in().actor, operator_id, status)
        return done(url_for(".index"), gettext("Changed."))

    def _shown(self, form: InviteForm, **more: object) -> ResponseReturnValue:
        told = {"operators": service.list_operators(), "roles": ROLES, "states": STATUS}
        return self.render("console/operators.html", form=form, **told, **more)


def _form() -> InviteForm:
    return _with_tenants(InviteForm())


def _with_tenants(form: F) -> F:
    form.tenant.choices = [SelectChoice(one.slug, one.name) for one in list_tenants()]
    return form


def _link(invitation: str) -> str:
    """Spell the link; its secret stands where no server and no log sees it."""
    return f"{url_for('doorway.invitation', _external=True)}#{invitation}"
