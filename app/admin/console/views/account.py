"""Pages of the operator's own account: password, one-time codes and sessions."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import segno
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.auth_views import local
from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import CodeForm, OwnPasswordForm, step_up_form
from app.admin.console.page_access import needs_step_up
from app.admin.console.page_scope import signed_in
from app.admin.console.pages import (
    Confirmation,
    confirm,
    own_pages,
    redirects_on,
    render_page,
)
from app.admin.console.submissions import done, process_form, redirect_when_done
from app.auth import this_device
from app.errors import OneTimeCodesOn
from app.i18n_marker import N_
from app.services.operators import one_time_codes as codes
from app.services.operators import own_account as service
from app.services.operators.listed_operators import show_operator
from app.services.operators.recovery_codes import count_recovery_codes, renew_recovery_codes
from app.services.operators.step_up import step_up

pages = own_pages("account", "account")


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show the operator, the state of one-time codes, and the operator's sessions."""
    return render_template(
        "console/account.html",
        operator=show_operator(signed_in().operator_id),
        is_enrolling=codes.find_pending_enrolment(signed_in().operator_id) is not None,
        unused_codes=count_recovery_codes(signed_in().operator_id),
        sessions=service.list_own_sessions(signed_in()),
    )


@pages.route("/prove", methods=["GET", "POST"])
def prove() -> ResponseReturnValue:
    """Show and process the step-up form, then redirect to the page `next`."""
    form = step_up_form(asks_code=show_operator(signed_in().operator_id).asks_code)
    return process_form(
        form,
        lambda: step_up(signed_in(), form.password.data, form.entered_code(), this_device()),
        lambda _: redirect(local(request.args.get("next"))),
        partial(render_page, "console/prove.html", form=form),
    )


@pages.route("/password", methods=["GET", "POST"])
@needs_step_up
@restores(OwnPasswordForm)
def password() -> ResponseReturnValue:
    """Change the operator's own password. The operator's other sessions end."""
    form = OwnPasswordForm()
    return process_form(
        form,
        lambda: service.change_own_password(signed_in(), form.password.data),
        redirect_when_done(
            url_for(".index"),
            gettext("Your password was changed. Your other sessions were ended."),
        ),
        partial(render_page, "console/account_password.html", form=form),
    )


@pages.route("/codes", methods=["GET", "POST"])
@needs_step_up
@redirects_on(OneTimeCodesOn, ".index")
def enrol() -> ResponseReturnValue:
    """Show the QR code, and enable one-time codes when a valid code is entered."""
    form, enrolment = CodeForm(), codes.begin_enrolment(signed_in())
    return process_form(
        form,
        lambda: codes.confirm_enrolment(signed_in(), form.code.data),
        partial(_show_recovery_codes, N_("One-time codes are enabled.")),
        partial(
            render_page,
            "console/enrolment.html",
            form=form,
            enrolment=enrolment,
            picture=_picture(enrolment.uri),
        ),
    )


@pages.route("/codes/cancel", methods=["POST"])
def cancel_enrolment() -> ResponseReturnValue:
    """Cancel the setup of one-time codes. The secret in the QR code is deleted."""
    codes.cancel_enrolment(signed_in())
    return done(url_for(".index"), gettext("The set-up was cancelled."))


@pages.route("/codes/remove", methods=["GET", "POST"])
@needs_step_up
def remove_codes() -> ResponseReturnValue:
    """Disable one-time codes. The form requires a one-time code or recovery code."""
    form = CodeForm()
    return process_form(
        form,
        lambda: codes.remove_own_codes(signed_in(), form.code.data),
        redirect_when_done(url_for(".index"), gettext("One-time codes are disabled.")),
        partial(render_page, "console/codes_remove.html", form=form),
    )


@pages.route("/recovery-codes", methods=["GET", "POST"])
@needs_step_up
def recovery_codes() -> ResponseReturnValue:
    """Replace the recovery codes, after a confirmation, and show the new ones once."""
    return confirm(
        _replacing_recovery_codes,
        lambda: renew_recovery_codes(signed_in()),
        partial(_show_recovery_codes, N_("The recovery codes were replaced.")),
    )


@pages.route("/sessions/<uuid:session_id>/end", methods=["POST"])
def end_session(session_id: UUID) -> ResponseReturnValue:
    """End one of the operator's own sessions."""
    service.end_own_session(signed_in(), session_id)
    return done(url_for(".index"), gettext("The session was ended."))


@pages.route("/sessions/end", methods=["GET", "POST"])
def end_other_sessions() -> ResponseReturnValue:
    """End the operator's other sessions, after a confirmation."""
    return confirm(
        _ending_other_sessions,
        lambda: service.end_other_own_sessions(signed_in()),
        redirect_when_done(url_for(".index"), gettext("Your other sessions were ended.")),
    )


def _show_recovery_codes(message: str, recovery_codes: Sequence[str]) -> ResponseReturnValue:
    flash(gettext(message), "done")
    return render_template("console/recovery_codes.html", codes=recovery_codes)


def _replacing_recovery_codes() -> Confirmation:
    return Confirmation(
        title=gettext("Replace your recovery codes?"),
        about=signed_in().email,
        consequences=gettext("The current recovery codes stop working. You get ten new ones."),
        button=gettext("Replace the recovery codes"),
        back=url_for(".index"),
    )


def _ending_other_sessions() -> Confirmation:
    return Confirmation(
        title=gettext("End your other sessions?"),
        about=signed_in().email,
        consequences=gettext("Other browsers and scripts have to sign in again."),
        button=gettext("End the other sessions"),
        back=url_for(".index"),
    )


def _picture(uri: str) -> str:
    """Return a QR code of the text as an SVG data URI."""
    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff"))
