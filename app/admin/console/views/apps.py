"""Mini-programs of the tenant: listed, added, changed, tested."""

from typing import ClassVar

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext
from flask_wtf import FlaskForm
from markupsafe import Markup

from app.admin.console.access import this_tenant_scope
from app.admin.console.forms.apps import AddForm, ClaimSecretsForm, SecretsForm, SettingsForm
from app.admin.console.forms.drafts import restores
from app.admin.console.labels import ENABLED, REGISTRATION, told, worded
from app.admin.console.links import isolated, link_to
from app.admin.console.pages import (
    Confirmation,
    done,
    is_submitted,
    need_changer,
    needs_step_up,
    shown_again,
)
from app.admin.console.views.app_ownership import AppOwnership, tell, verify_and_tell
from app.i18n_marker import N_
from app.models import WeChatApp
from app.services.apps.apps import NewApp
from app.services.apps.listed_apps import TenantApp
from app.services.tenant_admin import apps as service

# An app without an AppSecret is none; the others may go.
REMOVE = "/<app>/secrets/<any(next_secret, push_token, encoding_aes_key):which>/remove"
SECRET_NAMES = {
    "next_secret": N_("Next AppSecret"),
    "push_token": N_("Token"),
    "encoding_aes_key": N_("EncodingAESKey"),
}


class AppsView(AppOwnership):
    """The tenant's mini-programs."""

    list_template = "console/apps.html"
    column_list = ("name", "appid", "registration", "enabled", "created_at")
    column_labels: ClassVar = {
        "name": N_("Name"),
        "appid": N_("appid"),
        "registration": N_("Registration"),
        "enabled": N_("State"),
        "created_at": N_("Since"),
    }
    column_formatters: ClassVar = {
        "name": lambda _view, _context, app, _name: link_to(".show", app.name, app=app.appid),
        "registration": worded(REGISTRATION),
        "enabled": lambda _view, _context, app, _name: _state(app),
    }
    column_searchable_list = ("name", "appid")
    column_sortable_list = ("name", "appid", "created_at")
    column_default_sort = "name"
    search_label = N_("Name or appid")

    def __init__(self) -> None:
        super().__init__(WeChatApp, N_("Mini-programs"), "apps")

    @expose("/add", methods=["GET", "POST"])
    @restores(AddForm)
    def add(self) -> ResponseReturnValue:
        """Add a mini-program and verify it; its page says what to do if it is not active."""
        need_changer()
        form = AddForm()
        failure = None
        if form.validate_on_submit():
            new = NewApp(**form.facts())
            failure = shown_again(lambda: _add(new))
            if failure is None:
                return redirect(_page(new.appid))
        return self.render_page("console/app_add.html", form=form, failure=failure)

    @expose("/<app>/show")
    def show(self, app: str) -> ResponseReturnValue:
        """Show one, with what WeChat's own settings and its code need."""
        return self._shown(app)

    @expose("/<app>/change", methods=["GET", "POST"])
    @restores(SettingsForm)
    def change(self, app: str) -> ResponseReturnValue:
        """Change its settings."""
        need_changer()
        form = SettingsForm(obj=service.get_tenant_app(this_tenant_scope(), app))
        if not form.validate_on_submit():
            return self._shown(app, settings=form)
        service.change_tenant_app(this_tenant_scope(), app, **form.facts())
        return done(_page(app), gettext("Changed."))

    @expose("/<app>/enable", methods=["POST"])
    def enable(self, app: str) -> ResponseReturnValue:
        """Enable the mini-program."""
        service.change_tenant_app(this_tenant_scope(), app, enabled=True)
        return done(_page(app), gettext("The mini-program is enabled."))

    @expose("/<app>/disable", methods=["GET", "POST"])
    def disable(self, app: str) -> ResponseReturnValue:
        """Disable the mini-program, after a confirmation."""
        need_changer()
        shown = service.get_tenant_app(this_tenant_scope(), app)
        if not is_submitted():
            return self.ask(_disabling(shown))
        service.change_tenant_app(this_tenant_scope(), app, enabled=False)
        return done(_page(app), gettext("The mini-program is disabled."))

    @expose("/<app>/secrets", methods=["GET", "POST"])
    @needs_step_up
    @restores(SecretsForm)
    def secrets(self, app: str) -> ResponseReturnValue:
        """Replace secrets of the mini-program; a claim is verified with its new AppSecret."""
        need_changer()
        shown = service.get_tenant_app(this_tenant_scope(), app)
        form, failure = ClaimSecretsForm() if shown.is_claim else SecretsForm(), None
        if form.validate_on_submit():
            given = form.given()
            failure = shown_again(
                lambda: service.set_tenant_secrets(this_tenant_scope(), app, **given)
            )
            if failure is None and shown.is_claim and "secret" in given:
                return verify_and_tell(app)
            if failure is None:
                return done(_page(app), gettext("The secrets are replaced."))
        return self.render_page("console/app_secrets.html", app=shown, form=form, failure=failure)

    @expose(REMOVE, methods=["GET", "POST"])
    @needs_step_up
    def remove_secret(self, app: str, which: str) -> ResponseReturnValue:
        """Remove a secret that a mini-program can do without, after a confirmation."""
        need_changer()
        shown = service.get_tenant_app(this_tenant_scope(), app)
        if not is_submitted():
            return self.ask(_removing(shown, which))
        service.set_tenant_secrets(this_tenant_scope(), app, **{which: None})
        return done(_page(app), gettext("The secret is removed."))

    @expose("/<app>/test", methods=["POST"])
    def test(self, app: str) -> ResponseReturnValue:
        """Ask WeChat about its credentials."""
        return verify_and_tell(app)

    def _shown(self, appid: str, settings: FlaskForm | None = None) -> ResponseReturnValue:
        app = service.get_tenant_app(this_tenant_scope(), appid)
        if app.is_claim:
            return self.show_claim(app, settings)
        page: str = self.render(
            "console/app.html",
            app=app,
            settings=settings or SettingsForm(formdata=None, obj=app),
            told=lambda code: told(REGISTRATION, code),
        )
        return page


def _disabling(app: TenantApp) -> Confirmation:
    return Confirmation(
        title=gettext("Disable this mini-program?"),
        about=Markup("{} ({})").format(isolated(app.name), app.appid),
        consequences=gettext(
            "People cannot log in to it until it is enabled again. Requests with its login tokens "
            "are rejected."
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


def _add(new: NewApp) -> None:
    app = service.add_tenant_app(this_tenant_scope(), new)
    if app.state == "active":
        flash(gettext("The mini-program is added."), "done")
        tell([app.verdict] if app.verdict else [])
    else:
        flash(gettext("The mini-program is not active yet."), "error")


def _state(app: WeChatApp) -> str:
    if app.released_at is not None:
        return gettext("appid released")
    return told(ENABLED, app.enabled)
