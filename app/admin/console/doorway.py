"""The way in: signing in, the one-time code, taking an invitation up, and the way out."""

import re
from contextlib import suppress

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.forms import CodeForm, InvitationForm, SignInForm
from app.admin.console.guard import LANGUAGE, ROOT, TENANT, TOKEN, error_page
from app.auth import this_device
from app.errors import Failure
from app.languages import SPOKEN
from app.problems import advice_of, failure_of
from app.services import operator_sign_in as service
from app.services.operator_sessions import end_operator_session, find_console_session
from app.services.operators import accept_invitation

# Browsers read a backslash as a slash, and two dots as a way up.
LOCAL = re.compile(rf"{ROOT}(/[A-Za-z0-9_-]+)*/?(\?[!-\[\]-~]*)?")

doorway = Blueprint(
    "doorway",
    __name__,
    url_prefix=ROOT,
    template_folder="templates",
    static_folder="static",
    static_url_path="/assets",
)
doorway.register_error_handler(Exception, error_page)


@doorway.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for e-mail address and password."""
    form = SignInForm()
    if form.validate_on_submit():
        try:
            entered = service.sign_in(form.email.data, form.password.data, this_device())
        except Failure as failure:
            return _asked_again("console/sign_in.html", form, failure)
        return _enter(entered)
    return render_template("console/sign_in.html", form=form)


@doorway.route("/code", methods=["GET", "POST"])
def code() -> ResponseReturnValue:
    """Ask for the one-time code, of somebody whose password was right."""
    form = CodeForm()
    if form.validate_on_submit():
        try:
            token = session.get(TOKEN, "")
            entered = service.confirm_code(token, form.code.data, this_device())
        except Failure as failure:
            return _asked_again("console/code.html", form, failure)
        return _enter(entered)
    return render_template("console/code.html", form=form)


@doorway.route("/invitation", methods=["GET", "POST"])
def invitation() -> ResponseReturnValue:
    """Let somebody who was invited choose a password."""
    form = InvitationForm()
    if form.validate_on_submit():
        try:
            accept_invitation(form.invitation.data, form.password.data, this_device())
        except Failure as failure:
            return _asked_again("console/invitation.html", form, failure)
        flash(gettext("Your password is set. Sign in with it."), "done")
        return redirect(url_for("doorway.sign_in"))
    return render_template("console/invitation.html", form=form)


@doorway.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sign out, here and in the database."""
    _end_session()
    session.pop(TENANT, None)
    return redirect(url_for("doorway.sign_in"))


def _end_session() -> None:
    """End the session that this browser was in, if it was in one."""
    token = session.pop(TOKEN, None)
    with suppress(Failure):
        end_operator_session(find_console_session(token or "", this_device()).session_id)


@doorway.post("/language")
def choose_language() -> ResponseReturnValue:
    """Speak another language from now on."""
    if request.form.get("language") in SPOKEN:
        session[LANGUAGE] = request.form["language"]
    return redirect(_local(request.form.get("next")))


def _enter(entered: service.ConsoleSignIn) -> ResponseReturnValue:
    """Keep the token in a cookie, and nothing of what was there before but the language.

    Whoever was signed in here before is signed out: nobody could do that any more.
    """
    _end_session()
    chosen = session.get(LANGUAGE)
    session.clear()
    session[TOKEN] = entered.token
    if chosen:
        session[LANGUAGE] = chosen
    to = _local(request.args.get("next"))
    return redirect(url_for("doorway.code", next=to) if entered.awaits_code else to)


def _local(address: str | None) -> str:
    """Follow an address only when it is plainly a page of the console."""
    return address if address and LOCAL.fullmatch(address) else url_for("console.index")


def _asked_again(template: str, form: object, failure: Failure) -> ResponseReturnValue:
    status = failure_of(failure).status
    page = render_template(template, form=form, failure=failure)
    return page, status, advice_of(failure)
