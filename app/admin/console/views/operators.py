"""Pages on which platform admins manage operators."""

from functools import partial
from typing import TypeVar
from uuid import UUID

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from wtforms import SelectChoice

from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import InviteForm, RoleForm
from app.admin.console.labels import ROLES, STATUS
from app.admin.console.page_access import needs_step_up, require_platform_admin
from app.admin.console.page_scope import signed_in
from app.admin.console.pages import Confirmation, confirm, own_pages, render_page
from app.admin.console.submissions import process_form, redirect_when_done
from app.services.apps.tenants import list_tenants
from app.services.operators import listed_operators
from app.services.operators import operators as service

F = TypeVar("F", bound=InviteForm)


pages = own_pages("operators", "operators", require_platform_admin)


@pages.route("/")
def index() -> ResponseReturnValue:
    """List all operators."""
    return _show_list()


@pages.route("/invite", methods=["GET", "POST"])
@needs_step_up
@restores(InviteForm)
def invite() -> ResponseReturnValue:
    """Invite an operator, and show the invitation link, which cannot be shown again."""
    form = _with_tenants(InviteForm())
    return process_form(
        form,
        lambda: service.invite_operator(
            signed_in().actor, form.email.data, *form.role_and_tenant()
        ),
        _show_link,
        partial(render_page, "console/operator_invite.html", form=form),
    )


@pages.route("/<uuid:operator_id>/role", methods=["GET", "POST"])
@needs_step_up
@restores(RoleForm)
def role(operator_id: UUID) -> ResponseReturnValue:
    """Change the role or the tenant of an operator."""
    one = listed_operators.show_operator(operator_id)
    form = _with_tenants(RoleForm(role=one.role, tenant=one.tenant_slug))
    return process_form(
        form,
        lambda: service.change_role(signed_in().actor, operator_id, *form.role_and_tenant()),
        redirect_when_done(url_for(".index"), gettext("Saved.")),
        partial(render_page, "console/operator_role.html", operator=one, form=form),
    )


@pages.route("/<uuid:operator_id>/reset", methods=["GET", "POST"])
@needs_step_up
def reset(operator_id: UUID) -> ResponseReturnValue:
    """Remove the password of an operator, after a confirmation, and show an invitation link."""
    one = listed_operators.show_operator(operator_id)
    return confirm(
        lambda: _resetting(one),
        lambda: service.reset_operator(signed_in().actor, operator_id),
        _show_link,
    )


@pages.route("/<uuid:operator_id>/remove-codes", methods=["GET", "POST"])
@needs_step_up
def remove_codes(operator_id: UUID) -> ResponseReturnValue:
    """Remove the one-time codes of an operator, after a confirmation."""
    one = listed_operators.show_operator(operator_id)
    return confirm(
        lambda: _removing_codes(one),
        lambda: service.remove_operator_codes(signed_in().actor, operator_id),
        redirect_when_done(url_for(".index"), gettext("The one-time codes were removed.")),
    )


@pages.route("/<uuid:operator_id>/disable", methods=["GET", "POST"])
@needs_step_up
def disable(operator_id: UUID) -> ResponseReturnValue:
    """Disable an operator, after a confirmation."""
    one = listed_operators.show_operator(operator_id)
    return confirm(
        lambda: _disabling(one),
        lambda: service.set_operator_status(signed_in().actor, operator_id, "disabled"),
        redirect_when_done(url_for(".index"), gettext("%(email)s was disabled.", email=one.email)),
    )


@pages.route("/<uuid:operator_id>/enable", methods=["GET", "POST"])
@needs_step_up
def enable(operator_id: UUID) -> ResponseReturnValue:
    """Enable an operator, after a confirmation."""
    one = listed_operators.show_operator(operator_id)
    return confirm(
        lambda: _enabling(one),
        lambda: service.set_operator_status(signed_in().actor, operator_id, "active"),
        redirect_when_done(url_for(".index"), gettext("%(email)s was enabled.", email=one.email)),
    )


def _show_link(invitation: str) -> ResponseReturnValue:
    return _show_list(link=_link(invitation))


def _show_list(link: str | None = None) -> ResponseReturnValue:
    return render_template(
        "console/operators.html",
        operators=listed_operators.list_operators(),
        roles=ROLES,
        states=STATUS,
        link=link,
    )


def _resetting(operator: listed_operators.ShownOperator) -> Confirmation:
    return _confirmation(
        operator,
        gettext("Reset the password?"),
        gettext(
            "The password stops working and all sessions end. You get a link for a new password. "
            "One-time codes stay enabled."
        ),
        gettext("Reset the password"),
    )


def _removing_codes(operator: listed_operators.ShownOperator) -> Confirmation:
    return _confirmation(
        operator,
        gettext("Remove the one-time codes?"),
        gettext(
            "The password alone is then enough to sign in. Recovery codes stop working, and all "
            "sessions end."
        ),
        gettext("Remove the one-time codes"),
    )


def _disabling(operator: listed_operators.ShownOperator) -> Confirmation:
    return _confirmation(
        operator,
        gettext("Disable this admin?"),
        gettext("All sessions end, and the admin cannot sign in."),
        gettext("Disable the admin"),
    )


def _enabling(operator: listed_operators.ShownOperator) -> Confirmation:
    return _confirmation(
        operator,
        gettext("Enable this admin?"),
        gettext("The admin can sign in again, with the same password."),
        gettext("Enable the admin"),
    )


def _confirmation(
    operator: listed_operators.ShownOperator, title: str, consequences: str, button: str
) -> Confirmation:
    return Confirmation(title, operator.email, consequences, button, back=url_for(".index"))


def _with_tenants(form: F) -> F:
    form.tenant.choices = [SelectChoice(one.slug, one.name) for one in list_tenants()]
    return form


def _link(invitation: str) -> str:
    """Return the invitation URL. The secret is in the fragment, which browsers do not send."""
    return f"{url_for('auth.invitation', _external=True)}#{invitation}"
