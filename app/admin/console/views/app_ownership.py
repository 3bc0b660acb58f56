"""Pages of claims, and pages that remove, release or move a mini-program."""

from collections.abc import Sequence
from functools import partial

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm
from markupsafe import Markup

from app.admin.console.forms.apps import SettingsForm
from app.admin.console.labels import REGISTRATION, label_of
from app.admin.console.links import isolated
from app.admin.console.page_access import needs_step_up
from app.admin.console.page_scope import signed_in, tenant_scope_for_changes, this_tenant_scope
from app.admin.console.pages import Confirmation, confirm, tenant_pages
from app.admin.console.submissions import redirect_when_done
from app.errors import NotFound
from app.services.apps import releases
from app.services.apps.app_records import AppUsage
from app.services.apps.app_verification import Verdict
from app.services.apps.listed_apps import TenantApp
from app.services.tenant_admin import apps
from app.services.tenant_admin.tenant_scope import TenantScope

# Verification outcomes, with the category of the flashed message.
MESSAGE_CATEGORIES = {"right": "done", "wrong": "error", "unknown": "", "held_elsewhere": "error"}


pages = tenant_pages("apps", "apps")


@pages.route("/<app>/remove", methods=["GET", "POST"])
def remove(app: str) -> ResponseReturnValue:
    """Remove a claim or an app that was never used, after a confirmation."""
    scope = tenant_scope_for_changes()
    name = apps.get_tenant_app(scope, app).name
    return confirm(
        lambda: _removing(apps.get_removable_app(scope, app)),
        lambda: apps.remove_tenant_app(scope, app),
        redirect_when_done(url_for(".index"), gettext("{app} was removed.").format(app=name)),
    )


@pages.route("/<app>/release", methods=["GET", "POST"])
@needs_step_up
def release(app: str) -> ResponseReturnValue:
    """Release the appid from the tenant, after a confirmation. Only for platform admins."""
    scope = _platform_scope()
    shown = apps.get_tenant_app(scope, app)
    return confirm(
        lambda: _releasing(shown, apps.get_usage(scope, app)),
        lambda: releases.release_app(scope.actor, scope.tenant_slug, app),
        redirect_when_done(
            url_for(".index"),
            gettext("The appid of {app} was released.").format(app=shown.name),
        ),
    )


@pages.route("/<app>/move-here", methods=["GET", "POST"])
@needs_step_up
def move_to_this_tenant(app: str) -> ResponseReturnValue:
    """Move the appid from its present tenant to the tenant in the URL, after a confirmation.

    Only for platform admins. The tenant in the URL must have a claim to the appid.
    """
    scope = _platform_scope()
    claim, holder = apps.get_claim_and_holder(scope, app)
    return confirm(
        lambda: _moving(claim, holder, releases.find_usage_of(holder, app)),
        lambda: releases.move_app(scope.actor, holder, app, scope.tenant_slug),
        redirect_when_done(
            url_for(".show", app=app),
            gettext("{app} was moved to this tenant.").format(app=claim.name),
        ),
    )


def show_claim(app: TenantApp, settings: FlaskForm | None) -> ResponseReturnValue:
    """Render the page of a claim, with advice on how to get it verified."""
    return render_template(
        "console/app_claim.html",
        app=app,
        advice=app.verdict and app.verdict.fill(gettext(app.verdict.advice)),
        settings=settings or settings_form(app, submitted=False),
        registration_label=partial(label_of, REGISTRATION),
    )


def settings_form(app: TenantApp, *, submitted: bool) -> SettingsForm:
    """Return the settings form of an app. Only platform admins get the field for the call limit.

    Without `submitted`, the form ignores the request and shows the stored settings.
    """
    form = SettingsForm(obj=app) if submitted else SettingsForm(formdata=None, obj=app)
    if signed_in().role != "platform":
        del form.wechat_call_limit
    return form


def verify_and_show(appid: str) -> ResponseReturnValue:
    """Verify an app or a claim with WeChat, and redirect to its page.

    The results are flashed for an active app. The page of a claim shows the stored result.
    """
    verification = apps.verify_tenant_app(this_tenant_scope(), appid)
    if verification.state == "active":
        flash_verdicts(verification.verdicts)
        flash(gettext("The AppSecret was verified with WeChat."), "done")
    else:
        flash(gettext("The mini-program is not active yet."), "error")
    return redirect(url_for("console_apps.show", app=appid))


def flash_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Flash one message per AppSecret with its verification result."""
    for one in verdicts:
        which = gettext("AppSecret") if one.which == "current" else gettext("Next AppSecret")
        flash(f"{which}: {one.fill(gettext(one.advice))}", MESSAGE_CATEGORIES[one.outcome])


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
        "All its logins end. {identities} WeChat identities, {sessions} sessions, {pushes} "
        "pushes, users and figures stay with the present tenant. The appid becomes available."
    ).format(identities=usage.identities, sessions=usage.sessions, pushes=usage.pushes)


def _platform_scope() -> TenantScope:
    """Return the tenant scope. Raise NotFound unless the operator is a platform admin."""
    if signed_in().role != "platform":
        raise NotFound
    return this_tenant_scope()
