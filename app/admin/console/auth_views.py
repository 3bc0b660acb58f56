"""Sign-in, one-time code, invitation, sign-out and language: the views without a session."""

import re
from contextlib import suppress
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm

from app.admin.console.cookies import DRAFT, LANGUAGE, ROOT, TOKEN
from app.admin.console.forms.operators import CodeForm, InvitationForm, SignInForm
from app.admin.console.rendering import error_page
from app.admin.console.submissions import process_form, redirect_when_done
from app.auth import this_device
from app.errors import Failure, SignInExpired, SignInNeeded
from app.languages import SPOKEN
from app.problems import retry_after_header
from app.services.operators import sign_in as service
from app.services.operators.operators import accept_invitation
from app.services.operators.sessions import SignedIn, end_operator_session, find_console_session

# Browsers read a backslash as a slash, and two dots as a way up.
LOCAL = re.compile(rf"{ROOT}(/[A-Za-z0-9_-]+)*/?(\?[!-\[\]-~]*)?")

auth_pages = Blueprint(
    "auth",
    __name__,
    url_prefix=ROOT,
    template_folder="templates",
    static_folder="static",
    static_url_path="/assets",
)
auth_pages.register_error_handler(Exception, error_page)


@auth_pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for e-mail address and password. An operator who is signed in stays signed in."""
    form = SignInForm()
    return _redirect_signed_in() or process_form(
        form,
        lambda: service.sign_in(form.email.data, form.password.data, this_device()),
        _store_token_and_redirect,
        partial(_show_form, "console/sign_in.html", form),
    )


@auth_pages.route("/code", methods=["GET", "POST"])
def code() -> ResponseReturnValue:
    """Ask for the one-time code after a correct password."""
    form = CodeForm()
    return process_form(
        form,
        lambda: service.confirm_code(session.get(TOKEN, ""), form.code.data, this_device()),
        _store_token_and_redirect,
        partial(_show_form, "console/code.html", form),
    )


@auth_pages.route("/invitation", methods=["GET", "POST"])
def invitation() -> ResponseReturnValue:
    """Set the password of an invited operator."""
    form = InvitationForm()
    return process_form(
        form,
        lambda: accept_invitation(form.invitation.data, form.password.data, this_device()),
        redirect_when_done(
            url_for("auth.sign_in"), gettext("Your password is set. Sign in with it.")
        ),
        partial(_show_form, "console/invitation.html", form),
    )


@auth_pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session, here and in the database."""
    _end_session()
    _clear_cookie()
    return redirect(url_for("auth.sign_in"))


def _find_session() -> SignedIn | None:
    """Return the session of this browser's cookie, None if it has none that is active."""
    if TOKEN not in session:
        return None
    with suppress(SignInNeeded, SignInExpired):
        return find_console_session(session[TOKEN], this_device())
    return None


@auth_pages.post("/language")
def choose_language() -> ResponseReturnValue:
    """Show the console in another language."""
    _store_language(request.form.get("language"))
    return redirect(local(request.form.get("next")))


def _redirect_signed_in() -> ResponseReturnValue | None:
    present = _find_session()
    if present is None:
        return None
    flash(gettext("You are signed in as %(email)s.", email=present.email))
    return redirect(local(request.args.get("next")))


def _end_session() -> None:
    present = _find_session()
    if present is not None:
        end_operator_session(present.session_id)


def _store_language(language: str | None) -> None:
    if language in SPOKEN:
        session[LANGUAGE] = language


def _store_token_and_redirect(entered: service.ConsoleSignIn) -> ResponseReturnValue:
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
        return redirect(url_for("auth.code", next=address))
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


def _show_form(template: str, form: FlaskForm, failure: Failure | None) -> ResponseReturnValue:
    page = render_template(template, form=form, failure=failure)
    return (page, failure.status, retry_after_header(failure)) if failure else page
