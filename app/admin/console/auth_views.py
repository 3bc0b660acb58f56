"""The way in: signing in, the one-time code, taking an invitation up, and the way out."""

import re
from contextlib import suppress

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.access import error_page
from app.admin.console.cookies import DRAFT, LANGUAGE, ROOT, TOKEN
from app.admin.console.forms.operators import CodeForm, InvitationForm, SignInForm
from app.auth import this_device
from app.errors import Failure, SignInExpired, SignInNeeded
from app.languages import SPOKEN
from app.problems import advice_of, failure_of
from app.services.operators import sign_in as service
from app.services.operators.operators import accept_invitation
from app.services.operators.sessions import SignedIn, end_operator_session, find_console_session

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
    """Ask for e-mail address and password. An operator who is signed in stays signed in."""
    present = _find_session()
    if present is not None:
        flash(gettext("You are signed in as %(email)s.", email=present.email))
        return redirect(local(request.args.get("next")))
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
    """End the session, here and in the database."""
    present = _find_session()
    if present is not None:
        end_operator_session(present.session_id)
    _clear_cookie()
    return redirect(url_for("doorway.sign_in"))


def _find_session() -> SignedIn | None:
    """Return the session of this browser's cookie, None if it has none that is active."""
    if TOKEN not in session:
        return None
    with suppress(SignInNeeded, SignInExpired):
        return find_console_session(session[TOKEN], this_device())
    return None


@doorway.post("/language")
def choose_language() -> ResponseReturnValue:
    """Speak another language from now on."""
    if request.form.get("language") in SPOKEN:
        session[LANGUAGE] = request.form["language"]
    return redirect(local(request.form.get("next")))


def _enter(entered: service.ConsoleSignIn) -> ResponseReturnValue:
    """Put the token into a fresh cookie, and continue to the requested page.

    Nothing of the cookie before the sign-in is kept but the language and the draft of a form.
    """
    draft = session.get(DRAFT)
    _clear_cookie()
    session[TOKEN] = entered.token
    if draft:
        session[DRAFT] = draft
    address = request.args.get("next")
    if entered.awaits_code:
        return redirect(url_for("doorway.code", next=address))
    return redirect(local(address))


def _clear_cookie() -> None:
    language = session.get(LANGUAGE)
    session.clear()
    if language:
        session[LANGUAGE] = language


def local(address: str | None) -> str:
    """Return the URL of an address below the mount, of the first page for any other address."""
    path = address if address and LOCAL.fullmatch(address) else f"{ROOT}/"
    return f"{request.root_path}{path}"


def _asked_again(template: str, form: object, failure: Failure) -> ResponseReturnValue:
    status = failure_of(failure).status
    page = render_template(template, form=form, failure=failure)
    return page, status, advice_of(failure)
