"""Who may see a page of the console, and what its answers allow the browser to do."""

from datetime import datetime
from secrets import token_urlsafe
from typing import cast

from flask import Flask, Response, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_wtf.csrf import CSRFError, CSRFProtect

from app.auth import this_device
from app.errors import PageOutdated, SignInExpired, SignInNeeded, TenantUnknown
from app.languages import speak
from app.problems import failure_of
from app.services.desks import Desk, open_desk
from app.services.operator_sessions import SignedIn, find_console_session
from app.services.tenants import list_tenants

ROOT = "/console"
# What the cookie of the console holds, signed but readable.
TOKEN, TENANT, LANGUAGE = "token", "tenant", "language"
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Guard every address below /console."""
    csrf.init_app(app)
    app.before_request(_guard)
    app.after_request(_add_headers)
    app.context_processor(_told_to_pages)
    app.add_template_filter(moment)


def _is_console() -> bool:
    return request.path == ROOT or request.path.startswith(f"{ROOT}/")


def _guard() -> ResponseReturnValue | None:
    if not _is_console():
        return None
    g.nonce = token_urlsafe(16)
    speak(session.get(LANGUAGE))
    csrf.protect()
    if (request.endpoint or "").startswith("doorway.") or _is_asset():
        return None
    return _let_in()


def _is_asset() -> bool:
    return (request.endpoint or "").endswith(".static")


def _let_in() -> ResponseReturnValue | None:
    try:
        g.signed_in = find_console_session(session.get(TOKEN, ""), this_device())
    except (SignInNeeded, SignInExpired) as failure:
        if session.pop(TOKEN, None):
            flash(gettext(failure.en), "error")
        return redirect(url_for("doorway.sign_in", next=_here()))
    g.desk = None
    return None


def _here() -> str:
    return request.full_path.rstrip("?") if request.method == "GET" else ROOT


def signed_in() -> SignedIn:
    """Give who is signed in."""
    return cast(SignedIn, g.signed_in)


def this_desk() -> Desk:
    """Give the desk that the page is about: one's own tenant's, or the one that was chosen."""
    if g.desk is None:
        g.desk = _open_desk()
    return cast(Desk, g.desk)


def _open_desk() -> Desk:
    whose = signed_in()
    if whose.tenant_slug is not None:
        return open_desk(whose, whose.tenant_slug)
    try:
        return open_desk(whose, session.get(TENANT, ""))
    except TenantUnknown:
        first = next(iter(list_tenants()), None)
        if first is None:
            raise
        return open_desk(whose, first.slug)


def nonce() -> str:
    """Give what marks the scripts and styles of this answer as ours."""
    return str(g.get("nonce", ""))


def _add_headers(response: Response) -> Response:
    if _is_console():
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'nonce-{nonce()}'; style-src 'nonce-{nonce()}'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response.headers["X-Frame-Options"] = "DENY"
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _told_to_pages() -> dict[str, object]:
    return {
        "signed_in": g.get("signed_in"),
        "this_desk": this_desk,
        "language": str(get_locale()),
        "csp_nonce": nonce,
    }


def error_page(error: Exception) -> ResponseReturnValue:
    """Tell a failure as a page, in words that say what to do."""
    failure = failure_of(PageOutdated() if isinstance(error, CSRFError) else error)
    return render_template("console/error.html", failure=failure), failure.status


def moment(when: datetime | None) -> str:
    """Tell when, in UTC, to the minute."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else "–"
