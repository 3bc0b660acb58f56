"""Mini-programs of the tenant: listed, added, changed, tested."""

from collections.abc import Sequence
from typing import ClassVar

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext
from flask_wtf import FlaskForm

from app.admin.console.app_forms import AddForm, SecretsForm, SettingsForm
from app.admin.console.guard import this_desk
from app.admin.console.links import link_to
from app.admin.console.pages import TenantList, chosen, done, need_changer, shown_again
from app.admin.console.words import ENABLED, REGISTRATION, told, worded
from app.catalogue import N_
from app.errors import Failure
from app.models import WeChatApp
from app.services import desk_apps as service
from app.services.app_verification import Verdict
from app.services.apps import NewApp

# An app without an AppSecret is none; the others may go.
REMOVE = "/<app>/secrets/<any(next_secret, push_token, encoding_aes_key):which>/remove"
LOOKS = {"right": "done", "wrong": "error", "unknown": ""}


class AppsView(TenantList):
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
        "enabled": worded(ENABLED),
    }
    column_searchable_list = ("name", "appid")
    column_sortable_list = ("name", "appid", "created_at")
    column_default_sort = "name"
    search_label = N_("Name or appid")

    def __init__(self) -> None:
        super().__init__(WeChatApp, N_("Mini-programs"), "apps")

    @expose("/add", methods=["GET", "POST"])
    def add(self) -> ResponseReturnValue:
        """Add one, and say at once what WeChat says of it."""
        need_changer()
        form = AddForm()
        failure = None
        if form.validate_on_submit():
            new = NewApp(**form.facts())
            failure = shown_again(lambda: service.add_desk_app(this_desk(), new))
            if failure is None:
                _tell(service.verify_desk_app(this_desk(), new.appid))
                return done(_page(new.appid), gettext("The mini-program is added."))
        page = self.render("console/app_add.html", form=form, failure=failure)
        return page, failure.status if failure else 200

    @expose("/<app>/show")
    def show(self, app: str) -> ResponseReturnValue:
        """Show one, with what WeChat's own settings and its code need."""
        return self._shown(app)

    @expose("/<app>/change", methods=["POST"])
    def change(self, app: str) -> ResponseReturnValue:
        """Change its settings."""
        need_changer()
        form = SettingsForm()
        if not form.validate_on_submit():
            return self._shown(app, settings=form)
        service.change_desk_app(this_desk(), app, **form.facts())
        return done(_page(app), gettext("Changed."))

    @expose("/<app>/state", methods=["POST"])
    def state(self, app: str) -> ResponseReturnValue:
        """Switch it on or off."""
        service.change_desk_app(this_desk(), app, enabled=chosen("enabled", "yes", "no") == "yes")
        return done(_page(app), gettext("Changed."))

    @expose("/<app>/secrets", methods=["POST"])
    def secrets(self, app: str) -> ResponseReturnValue:
        """Replace the secrets that were entered."""
        need_changer()
        form = SecretsForm()
        if not form.validate_on_submit():
            return self._shown(app, secrets=form)
        if not form.given():
            flash(gettext("Nothing was entered, so nothing is changed."), "error")
            return redirect(_page(app))
        failure = shown_again(lambda: service.set_desk_secrets(this_desk(), app, **form.given()))
        if failure:
            return self._shown(app, failure)
        return done(_page(app), gettext("The secrets are replaced."))

    @expose(REMOVE, methods=["POST"])
    def remove_secret(self, app: str, which: str) -> ResponseReturnValue:
        """Remove a secret that an app can be without."""
        service.set_desk_secrets(this_desk(), app, **{which: None})
        return done(_page(app), gettext("The secret is removed."))

    @expose("/<app>/test", methods=["POST"])
    def test(self, app: str) -> ResponseReturnValue:
        """Ask WeChat about its credentials."""
        _tell(service.verify_desk_app(this_desk(), app))
        return done(_page(app), gettext("WeChat was asked."))

    def _shown(
        self, appid: str, failure: Failure | None = None, **forms: FlaskForm
    ) -> ResponseReturnValue:
        app = service.get_desk_app(this_desk(), appid)
        settings = forms.get("settings") or SettingsForm(formdata=None, obj=app)
        secrets = forms.get("secrets") or SecretsForm(formdata=None)
        page = self.render(
            "console/app.html",
            app=app,
            settings=settings,
            secrets=secrets,
            failure=failure,
            told=lambda code: told(REGISTRATION, code),
        )
        return page, failure.status if failure else 200


def _page(appid: str) -> str:
    return url_for("console_apps.show", app=appid)


def _tell(verdicts: Sequence[Verdict]) -> None:
    """Say what WeChat says of each AppSecret."""
    for one in verdicts:
        which = gettext("AppSecret") if one.which == "current" else gettext("Next AppSecret")
        flash(f"{which}: {one.fill(gettext(one.advice))}", LOOKS[one.outcome])
