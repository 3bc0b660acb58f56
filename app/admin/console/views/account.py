"""The operator's own account: password, one-time codes, recovery codes and sessions."""

from collections.abc import Sequence
from uuid import UUID

import segno
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.access import signed_in
from app.admin.console.auth_views import local
from app.admin.console.forms.drafts import restores
from app.admin.console.forms.operators import CodeForm, OwnPasswordForm, ProofForm
from app.admin.console.pages import (
    Confirmation,
    Page,
    done,
    is_submitted,
    needs_step_up,
    shown_again,
)
from app.auth import this_device
from app.i18n_marker import N_
from app.services.operators import one_time_codes as codes
from app.services.operators import own_account as service
from app.services.operators.operators import show_operator
from app.services.operators.recovery_codes import count_recovery_codes, renew_recovery_codes
from app.services.operators.step_up import step_up


class AccountView(Page):
    """What operators change of their own account."""

    of_tenant = False

    def __init__(self) -> None:
        super().__init__(name=N_("Account security"), endpoint="console_account", url="account")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show the account."""
        page: str = self.render(
            "console/account.html",
            operator=show_operator(signed_in().operator_id),
            is_enrolling=codes.find_pending_enrolment(signed_in().operator_id) is not None,
            unused_codes=count_recovery_codes(signed_in().operator_id),
            sessions=service.list_own_sessions(signed_in()),
        )
        return page

    @expose("/prove", methods=["GET", "POST"])
    def prove(self) -> ResponseReturnValue:
        """Ask for the password, and the one-time code if enrolled, before a sensitive action."""
        has_codes = show_operator(signed_in().operator_id).asks_code
        form, failure = ProofForm(), None
        if not has_codes:
            del form.code
        if form.validate_on_submit():
            code = form.code.data if has_codes else None
            password = form.password.data
            prove = step_up
            failure = shown_again(lambda: prove(signed_in(), password, code, this_device()))
            if failure is None:
                return redirect(local(request.args.get("next")))
        return self.render_page("console/prove.html", form=form, failure=failure)

    @expose("/password", methods=["GET", "POST"])
    @needs_step_up
    @restores(OwnPasswordForm)
    def password(self) -> ResponseReturnValue:
        """Change the operator's own password."""
        form, failure = OwnPasswordForm(), None
        if form.validate_on_submit():
            new, change = form.password.data, service.change_own_password
            failure = shown_again(lambda: change(signed_in(), new))
            if failure is None:
                return done(
                    url_for(".index"), gettext("Your password is changed. Other sessions ended.")
                )
        return self.render_page("console/account_password.html", form=form, failure=failure)

    @expose("/codes", methods=["GET", "POST"])
    @needs_step_up
    def enrol(self) -> ResponseReturnValue:
        """Show the QR code; enable one-time codes once the app's first code is entered."""
        if show_operator(signed_in().operator_id).asks_code:
            return redirect(url_for(".index"))
        enrolment = codes.begin_enrolment(signed_in())
        form, failure = CodeForm(), None
        fresh: list[str] = []
        if form.validate_on_submit():
            code, confirm = form.code.data, codes.confirm_enrolment
            failure = shown_again(lambda: fresh.extend(confirm(signed_in(), code)))
        if fresh:
            return self._show_once(gettext("One-time codes are enabled."), fresh)
        values = {"form": form, "enrolment": enrolment, "picture": _picture(enrolment.uri)}
        return self.render_page("console/enrolment.html", failure, **values)

    @expose("/codes/cancel", methods=["POST"])
    def cancel_enrolment(self) -> ResponseReturnValue:
        """Discard the QR code. One-time codes stay disabled."""
        codes.cancel_enrolment(signed_in())
        return done(url_for(".index"), gettext("The set-up is cancelled."))

    @expose("/codes/remove", methods=["GET", "POST"])
    @needs_step_up
    def remove_codes(self) -> ResponseReturnValue:
        """Disable one-time codes, with a last code."""
        form, failure = CodeForm(), None
        if form.validate_on_submit():
            code, remove = form.code.data, codes.remove_own_codes
            failure = shown_again(lambda: remove(signed_in(), code))
            if failure is None:
                return done(url_for(".index"), gettext("One-time codes are disabled."))
        return self.render_page("console/codes_remove.html", form=form, failure=failure)

    @expose("/recovery-codes", methods=["GET", "POST"])
    @needs_step_up
    def recovery_codes(self) -> ResponseReturnValue:
        """Replace the recovery codes, after a confirmation, and show the new ones once."""
        if not is_submitted():
            return self.ask(_renewing())
        return self._show_once(
            gettext("The recovery codes are replaced."), renew_recovery_codes(signed_in())
        )

    @expose("/sessions/<uuid:session_id>/end", methods=["POST"])
    def end_session(self, session_id: UUID) -> ResponseReturnValue:
        """End one of the operator's own sessions."""
        service.end_own_session(signed_in(), session_id)
        return done(url_for(".index"), gettext("The session is ended."))

    @expose("/sessions/end", methods=["GET", "POST"])
    def end_other_sessions(self) -> ResponseReturnValue:
        """End the operator's other sessions, after a confirmation."""
        if not is_submitted():
            return self.ask(_ending_others())
        service.end_other_own_sessions(signed_in())
        return done(url_for(".index"), gettext("Your other sessions are ended."))

    def _show_once(self, message: str, fresh: Sequence[str]) -> ResponseReturnValue:
        flash(message, "done")
        page: str = self.render("console/recovery_codes.html", codes=fresh)
        return page


def _renewing() -> Confirmation:
    return Confirmation(
        title=gettext("Replace your recovery codes?"),
        about=signed_in().email,
        consequences=gettext("The present recovery codes stop working. You get ten new ones."),
        button=gettext("Replace the recovery codes"),
        back=url_for(".index"),
    )


def _ending_others() -> Confirmation:
    return Confirmation(
        title=gettext("End your other sessions?"),
        about=signed_in().email,
        consequences=gettext("Other browsers and scripts have to sign in again."),
        button=gettext("End the other sessions"),
        back=url_for(".index"),
    )


def _picture(uri: str) -> str:
    """Return the QR code as a data URI."""
    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff"))
