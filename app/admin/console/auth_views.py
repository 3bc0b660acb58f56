"""Pages that need no session: sign-in, one-time code, invitation, sign-out, language and theme."""

import re
from contextlib import suppress
from functools import partial

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm

from app.admin.console.cookies import DRAFT, LANGUAGE, PREFERENCES, ROOT, THEME, THEMES, TOKEN
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

# No backslashes and no dots, because browsers read a backslash as `/` and resolve `..`.
LOCAL = re.compile(rf"{ROOT}(/[A-Za-z0-9_-]+)*/?(\?[!-\[\]-~]*)?")

auth_pages = Blueprint(
    "auth",
    __name__,
    url_prefix=ROOT,
    template_folder="templates",
)
auth_pages.register_error_handler(Exception, error_page)


@auth_pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Show and process the sign-in form. A signed-in operator is redirected."""
    form = SignInForm()
    return _redirect_signed_in() or process_form(
        form,
        lambda: service.sign_in(form.email.data, form.password.data, this_device()),
        _store_token_and_redirect,
        partial(_show_form, "console/sign_in.html", form),
    )


@auth_pages.route("/code", methods=["GET", "POST"])
def code() -> ResponseReturnValue:
    """Show and process the form for the one-time code, after a correct password."""
    form = CodeForm()
    return process_form(
        form,
        lambda: service.confirm_code(session.get(TOKEN, ""), form.code.data, this_device()),
        _store_token_and_redirect,
        partial(_show_form, "console/code.html", form),
    )


@auth_pages.route("/invitation", methods=["GET", "POST"])
def invitation() -> ResponseReturnValue:
    """Show and process the form in which an invited operator sets a password."""
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
    """End the session in the database and clear the cookie, except for language and theme."""
    _end_session()
    _clear_cookie()
    return redirect(url_for("auth.sign_in"))


def _find_session() -> SignedIn | None:
    """Return the active session of the browser's cookie, or None."""
    if TOKEN not in session:
        return None
    with suppress(SignInNeeded, SignInExpired):
        return find_console_session(session[TOKEN], this_device())
    return None


@auth_pages.post("/language")
def choose_language() -> ResponseReturnValue:
    """Store the chosen language in the cookie and redirect to the page `next`."""
    _store_language(request.form.get("language"))
    return redirect(local(request.form.get("next")))


@auth_pages.post("/theme")
def choose_theme() -> ResponseReturnValue:
    """Store the chosen theme in the cookie and redirect to the page `next`."""
    _store_theme(request.form.get("theme"))
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


def _store_theme(theme: str | None) -> None:
    if theme in THEMES:
        session[THEME] = theme


def _store_token_and_redirect(entered: service.ConsoleSignIn) -> ResponseReturnValue:
    """Store the session token in a new cookie, and redirect to the requested page.

    If the sign-in requires a one-time code, redirect to its form. Language, theme and the draft of
    a form are kept from the cookie before the sign-in.
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
    kept = {name: session[name] for name in PREFERENCES if name in session}
    session.clear()
    session.update(kept)


def local(address: str | None) -> str:
    """Return the URL of a console path, or of the console's start page for any other path."""
    path = address if address and LOCAL.fullmatch(address) else f"{ROOT}/"
    return f"{request.root_path}{path}"


def _show_form(template: str, form: FlaskForm, failure: Failure | None) -> ResponseReturnValue:
    page = render_template(template, form=form, failure=failure)
    return (page, failure.status, retry_after_header(failure)) if failure else page
