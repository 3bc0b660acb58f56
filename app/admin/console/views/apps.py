"""Pages of a tenant's mini-programs: list, settings and secrets."""

from collections.abc import Collection
from functools import partial

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm
from markupsafe import Markup

from app.admin.console.forms.apps import AddForm, SecretsForm, SettingsForm, secrets_form
from app.admin.console.forms.drafts import restores
from app.admin.console.labels import REGISTRATION, label_of
from app.admin.console.links import isolated
from app.admin.console.lists import ListFilter, filter_value, read_list
from app.admin.console.page_access import needs_step_up
from app.admin.console.page_scope import tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import Confirmation, confirm, render_page
from app.admin.console.submissions import (
    done,
    process_form,
    redirect_when_done,
    show_until_valid,
)
from app.admin.console.views.app_ownership import (
    flash_verdicts,
    pages,
    settings_form,
    show_claim,
    verify_and_show,
)
from app.i18n_marker import N_
from app.services.apps.changes import AppSettings, removal_of
from app.services.apps.listed_apps import TenantApp
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin import apps as service

__all__ = ["pages"]

# The secrets that can be removed. The AppSecret is mandatory.
REMOVE = "/<app>/secrets/<any(next_secret, push_token, encoding_aes_key):which>/remove"
SECRET_NAMES = {
    "next_secret": N_("Next AppSecret"),
    "push_token": N_("Token"),
    "encoding_aes_key": N_("EncodingAESKey"),
}
FILTERS = (ListFilter("search", N_("Name or appid")),)


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show a page of the tenant's mini-programs, below its claims."""
    scope = this_tenant_scope()
    return render_template(
        "console/apps.html",
        claims=service.list_tenant_claims(scope),
        apps=read_list(_find, FILTERS, ("name", "appid", "created_at")),
        registrations=REGISTRATION,
    )


@pages.route("/add", methods=["GET", "POST"])
@restores(AddForm)
def add() -> ResponseReturnValue:
    """Add a mini-program and verify it with WeChat, then redirect to its page."""
    scope, form = tenant_scope_for_changes(), AddForm()
    return process_form(
        form,
        lambda: service.add_tenant_app(scope, form.new_app()),
        _redirect_to_added,
        partial(render_page, "console/app_add.html", form=form),
    )


@pages.route("/<app>/show")
def show(app: str) -> ResponseReturnValue:
    """Show a mini-program, with the values to copy to WeChat's console and to its code."""
    return _show_app(app)


@pages.route("/<app>/change", methods=["GET", "POST"])
@restores(SettingsForm)
def change(app: str) -> ResponseReturnValue:
    """Process the settings form on the page of a mini-program or claim."""
    scope = tenant_scope_for_changes()
    form = settings_form(service.get_tenant_app(scope, app), submitted=True)
    return show_until_valid(
        form,
        lambda: _change_settings(app, form),
        lambda: _show_app(app, settings=form),
    )


@pages.route("/<app>/enable", methods=["POST"])
def enable(app: str) -> ResponseReturnValue:
    """Enable the mini-program."""
    service.change_tenant_app(this_tenant_scope(), app, AppSettings(enabled=True))
    return done(_page(app), gettext("The mini-program was enabled."))


@pages.route("/<app>/disable", methods=["GET", "POST"])
def disable(app: str) -> ResponseReturnValue:
    """Disable the mini-program, after a confirmation."""
    scope = tenant_scope_for_changes()
    shown = service.get_tenant_app(scope, app)
    return confirm(
        lambda: _disabling(shown),
        lambda: service.change_tenant_app(scope, app, AppSettings(enabled=False)),
        redirect_when_done(_page(app), gettext("The mini-program was disabled.")),
    )


@pages.route("/<app>/secrets", methods=["GET", "POST"])
@needs_step_up
@restores(SecretsForm)
def secrets(app: str) -> ResponseReturnValue:
    """Replace secrets of a mini-program. A new AppSecret of a claim is verified with WeChat."""
    shown = service.get_tenant_app(tenant_scope_for_changes(), app)
    form = secrets_form(is_claim=shown.is_claim)
    return process_form(
        form,
        lambda: service.set_tenant_secrets(this_tenant_scope(), app, form.changes()),
        lambda _: _redirect_to_changed(shown, form.changes().given()),
        partial(render_page, "console/app_secrets.html", app=shown, form=form),
    )


@pages.route(REMOVE, methods=["GET", "POST"])
@needs_step_up
def remove_secret(app: str, which: str) -> ResponseReturnValue:
    """Remove the next AppSecret or a message push secret, after a confirmation."""
    scope = tenant_scope_for_changes()
    shown = service.get_tenant_app(scope, app)
    return confirm(
        lambda: _removing(shown, which),
        lambda: service.set_tenant_secrets(scope, app, removal_of(which)),
        redirect_when_done(_page(app), gettext("The secret was removed.")),
    )


@pages.route("/<app>/test", methods=["POST"])
def test(app: str) -> ResponseReturnValue:
    """Verify appid and AppSecret of a mini-program or claim with WeChat."""
    return verify_and_show(app)


def _change_settings(appid: str, form: SettingsForm) -> ResponseReturnValue:
    service.change_tenant_app(this_tenant_scope(), appid, form.settings())
    return done(_page(appid), gettext("Saved."))


def _show_app(appid: str, settings: FlaskForm | None = None) -> ResponseReturnValue:
    app = service.get_tenant_app(this_tenant_scope(), appid)
    if app.is_claim:
        return show_claim(app, settings)
    return render_template(
        "console/app.html",
        app=app,
        settings=settings or settings_form(app, submitted=False),
        registration_label=partial(label_of, REGISTRATION),
    )


def _disabling(app: TenantApp) -> Confirmation:
    return Confirmation(
        title=gettext("Disable this mini-program?"),
        about=Markup("{} ({})").format(isolated(app.name), app.appid),
        consequences=gettext(
            "Users cannot log in to it until it is enabled again. Requests with its login "
            "tokens are rejected."
        ),
        button=gettext("Disable the mini-program"),
        back=_page(app.appid),
    )


def _removing(app: TenantApp, which: str) -> Confirmation:
    return Confirmation(
        title=gettext("Remove this secret?"),
        about=Markup("{} ({}): {}").format(
            isolated(app.name), app.appid, gettext(SECRET_NAMES[which])
        ),
        consequences=gettext("It cannot be shown again. To use it again, enter it again."),
        button=gettext("Remove the secret"),
        back=_page(app.appid),
    )


def _page(appid: str) -> str:
    return url_for("console_apps.show", app=appid)


def _redirect_to_added(app: TenantApp) -> ResponseReturnValue:
    if app.state == "active":
        flash(gettext("The mini-program was added."), "done")
        flash_verdicts([app.verdict] if app.verdict else [])
    else:
        flash(gettext("The mini-program is not active yet."), "error")
    return redirect(_page(app.appid))


def _redirect_to_changed(app: TenantApp, replaced: Collection[str]) -> ResponseReturnValue:
    """Redirect to the page of the app or claim. A claim with a new AppSecret is verified first."""
    if app.is_claim and "secret" in replaced:
        return verify_and_show(app.appid)
    return done(_page(app.appid), gettext("The secrets were replaced."))


def _find(offset_page: OffsetPage) -> Page[TenantApp]:
    return service.find_apps_by_offset(this_tenant_scope(), filter_value("search"), offset_page)
