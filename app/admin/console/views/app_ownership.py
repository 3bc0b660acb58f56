"""Pages about which tenant has an appid: claims, and apps that are removed, released or moved."""

from collections.abc import Sequence

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext
from flask_wtf import FlaskForm
from markupsafe import Markup

from app.admin.console.access import signed_in, this_tenant_scope
from app.admin.console.forms.apps import SettingsForm
from app.admin.console.labels import REGISTRATION, told
from app.admin.console.links import isolated
from app.admin.console.pages import (
    Confirmation,
    TenantList,
    done,
    is_submitted,
    need_changer,
    needs_step_up,
)
from app.errors import AppInUse, AppUnknown, NotFound
from app.services.apps import releases
from app.services.apps.app_records import AppUsage
from app.services.apps.app_verification import Verdict
from app.services.apps.listed_apps import TenantApp
from app.services.tenant_admin import apps

LOOKS = {"right": "done", "wrong": "error", "unknown": "", "held_elsewhere": "error"}


class AppOwnership(TenantList):
    """What the list of mini-programs shows of claims, and the actions that end an app."""

    def claims(self) -> Sequence[TenantApp]:
        """List the tenant's claims, for the page above the list of apps."""
        return apps.list_tenant_claims(this_tenant_scope())

    @expose("/<app>/remove", methods=["GET", "POST"])
    def remove(self, app: str) -> ResponseReturnValue:
        """Withdraw a claim or delete an unused app, after a confirmation."""
        need_changer()
        scope = this_tenant_scope()
        shown = apps.get_tenant_app(scope, app)
        if not is_submitted():
            if apps.get_usage(scope, app).total:
                raise AppInUse
            return self.ask(_removing(shown))
        apps.remove_tenant_app(scope, app)
        return done(url_for(".index_view"), gettext("{app} was removed.").format(app=shown.name))

    @expose("/<app>/release", methods=["GET", "POST"])
    @needs_step_up
    def release(self, app: str) -> ResponseReturnValue:
        """Take the appid from the tenant, after a confirmation; for platform admins."""
        _need_platform()
        scope = this_tenant_scope()
        shown = apps.get_tenant_app(scope, app)
        if not is_submitted():
            return self.ask(_releasing(shown, apps.get_usage(scope, app)))
        releases.release_app(scope.actor, scope.tenant_slug, app)
        message = gettext("The appid of {app} was released.").format(app=shown.name)
        return done(url_for(".index_view"), message)

    @expose("/<app>/move-here", methods=["GET", "POST"])
    @needs_step_up
    def move_here(self, app: str) -> ResponseReturnValue:
        """Move the appid to this tenant, which claims it, after a confirmation.

        For platform admins.
        """
        _need_platform()
        scope = this_tenant_scope()
        shown, holder = apps.get_tenant_app(scope, app), releases.find_holder(app)
        if holder is None or not shown.is_claim:
            raise AppUnknown
        if not is_submitted():
            return self.ask(_moving(shown, holder, releases.find_usage_of(holder, app)))
        releases.move_app(scope.actor, holder, app, scope.tenant_slug)
        message = gettext("{app} was moved to this tenant.").format(app=shown.name)
        return done(url_for(".show", app=app), message)

    def show_claim(self, app: TenantApp, settings: FlaskForm | None) -> ResponseReturnValue:
        """Show a claim with what to do about it."""
        page: str = self.render(
            "console/app_claim.html",
            app=app,
            advice=app.verdict and app.verdict.fill(gettext(app.verdict.advice)),
            settings=settings or SettingsForm(formdata=None, obj=app),
            told=lambda code: told(REGISTRATION, code),
        )
        return page


def verify_and_tell(appid: str) -> ResponseReturnValue:
    """Verify an app or a claim with WeChat, and show its page; a claim's says what WeChat said."""
    verification = apps.verify_tenant_app(this_tenant_scope(), appid)
    if verification.state == "active":
        tell(verification.verdicts)
        flash(gettext("WeChat was asked."), "done")
    else:
        flash(gettext("The mini-program is not active yet."), "error")
    return redirect(url_for("console_apps.show", app=appid))


def tell(verdicts: Sequence[Verdict]) -> None:
    """Say what WeChat says of each AppSecret."""
    for one in verdicts:
        which = gettext("AppSecret") if one.which == "current" else gettext("Next AppSecret")
        flash(f"{which}: {one.fill(gettext(one.advice))}", LOOKS[one.outcome])


def _removing(app: TenantApp) -> Confirmation:
    return Confirmation(
        title=gettext("Remove this mini-program?"),
        about=_named(app),
        consequences=gettext("It was never used. Its settings and secrets are deleted."),
        button=gettext("Remove the mini-program"),
        back=url_for(".show", app=app.appid),
    )


def _releasing(app: TenantApp, usage: AppUsage) -> Confirmation:
    return Confirmation(
        title=gettext("Release this appid?"),
        about=_named(app),
        consequences=_what_stays(usage),
        button=gettext("Release the appid"),
        back=url_for(".show", app=app.appid),
    )


def _moving(app: TenantApp, holder: str, usage: AppUsage) -> Confirmation:
    return Confirmation(
        title=gettext("Move this appid here from {tenant}?").format(tenant=holder),
        about=_named(app),
        consequences=_what_stays(usage),
        button=gettext("Move the appid"),
        back=url_for(".show", app=app.appid),
    )


def _named(app: TenantApp) -> Markup:
    return Markup("{} ({})").format(isolated(app.name), app.appid)


def _what_stays(usage: AppUsage) -> str:
    return gettext(
        "All logins to it end. {identities} WeChat identities, {sessions} sessions and {pushes} "
        "pushes, users and figures stay with the tenant that has it. The appid is free."
    ).format(identities=usage.identities, sessions=usage.sessions, pushes=usage.pushes)


def _need_platform() -> None:
    """Raise NotFound unless the operator is a platform admin."""
    if signed_in().role != "platform":
        raise NotFound
