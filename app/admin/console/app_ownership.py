"""Pages about which tenant has an appid: claims, and apps that are removed, released or moved."""

from collections.abc import Sequence

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext
from flask_wtf import FlaskForm
from markupsafe import Markup

from app.admin.console.app_forms import SettingsForm
from app.admin.console.guard import signed_in, this_desk
from app.admin.console.links import isolated
from app.admin.console.pages import (
    Confirmation,
    TenantList,
    done,
    is_submitted,
    need_changer,
    needs_step_up,
)
from app.admin.console.words import REGISTRATION, told
from app.errors import AppInUse, AppUnknown, NotFound
from app.services import app_releases, desk_apps
from app.services.app_records import AppUsage
from app.services.app_verification import Verdict
from app.services.listed_apps import DeskApp

LOOKS = {"right": "done", "wrong": "error", "unknown": "", "held_elsewhere": "error"}


class AppOwnership(TenantList):
    """What the list of mini-programs shows of claims, and the actions that end an app."""

    def claims(self) -> Sequence[DeskApp]:
        """List the tenant's claims, for the page above the list of apps."""
        return desk_apps.list_desk_claims(this_desk())

    @expose("/<app>/remove", methods=["GET", "POST"])
    def remove(self, app: str) -> ResponseReturnValue:
        """Withdraw a claim or delete an unused app, after a confirmation."""
        need_changer()
        desk = this_desk()
        shown = desk_apps.get_desk_app(desk, app)
        if not is_submitted():
            if desk_apps.get_usage(desk, app).total:
                raise AppInUse
            return self.ask(_removing(shown))
        desk_apps.remove_desk_app(desk, app)
        return done(url_for(".index_view"), gettext("{app} was removed.").format(app=shown.name))

    @expose("/<app>/release", methods=["GET", "POST"])
    @needs_step_up
    def release(self, app: str) -> ResponseReturnValue:
        """Take the appid from the tenant, after a confirmation; for platform admins."""
        _need_platform()
        desk = this_desk()
        shown = desk_apps.get_desk_app(desk, app)
        if not is_submitted():
            return self.ask(_releasing(shown, desk_apps.get_usage(desk, app)))
        app_releases.release_app(desk.actor, desk.tenant_slug, app)
        message = gettext("The appid of {app} was released.").format(app=shown.name)
        return done(url_for(".index_view"), message)

    @expose("/<app>/move-here", methods=["GET", "POST"])
    @needs_step_up
    def move_here(self, app: str) -> ResponseReturnValue:
        """Move the appid to this tenant, which claims it, after a confirmation.

        For platform admins.
        """
        _need_platform()
        desk = this_desk()
        shown, holder = desk_apps.get_desk_app(desk, app), app_releases.find_holder(app)
        if holder is None or not shown.is_claim:
            raise AppUnknown
        if not is_submitted():
            return self.ask(_moving(shown, holder, app_releases.find_usage_of(holder, app)))
        app_releases.move_app(desk.actor, holder, app, desk.tenant_slug)
        message = gettext("{app} was moved to this tenant.").format(app=shown.name)
        return done(url_for(".show", app=app), message)

    def show_claim(self, app: DeskApp, settings: FlaskForm | None) -> ResponseReturnValue:
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
    verification = desk_apps.verify_desk_app(this_desk(), appid)
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


def _removing(app: DeskApp) -> Confirmation:
    return Confirmation(
        title=gettext("Remove this mini-program?"),
        about=_named(app),
        consequences=gettext("It was never used. Its settings and secrets are deleted."),
        button=gettext("Remove the mini-program"),
        back=url_for(".show", app=app.appid),
    )


def _releasing(app: DeskApp, usage: AppUsage) -> Confirmation:
    return Confirmation(
        title=gettext("Release this appid?"),
        about=_named(app),
        consequences=_what_stays(usage),
        button=gettext("Release the appid"),
        back=url_for(".show", app=app.appid),
    )


def _moving(app: DeskApp, holder: str, usage: AppUsage) -> Confirmation:
    return Confirmation(
        title=gettext("Move this appid here from {tenant}?").format(tenant=holder),
        about=_named(app),
        consequences=_what_stays(usage),
        button=gettext("Move the appid"),
        back=url_for(".show", app=app.appid),
    )


def _named(app: DeskApp) -> Markup:
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
