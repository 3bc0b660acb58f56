"""Who may see a page of the console, and what its answers allow the browser to do."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from secrets import token_urlsafe
from typing import Any, TypeVar, cast

from flask import (
    Flask,
    Request,
    Response,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import RequestRedirect

from app.auth import this_device
from app.errors import Failure, PageOutdated, SignInExpired, SignInNeeded, TenantUnknown
from app.languages import speak
from app.problems import advice_of, failure_of, message_on_page
from app.services.desks import Desk, open_desk
from app.services.operator_sessions import SignedIn, find_console_session

V = TypeVar("V", bound=Callable[..., Any])

ROOT = "/console"
# What the cookie of the console holds, signed but readable.
TOKEN, TENANT, LANGUAGE = "token", "tenant", "language"
FORM_MEMORY = 512 * 1024
csrf = CSRFProtect()


class ConsoleCookies(SecureCookieSessionInterface):
    """Reads and writes the cookie where there is one; for no login's sake is a signer made."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Give what an operator's cookie holds; elsewhere nothing, and nothing is kept."""
        return super().open_session(app, request) if _is_console() else None


def init_app(app: Flask) -> None:
    """Guard every address below /console."""
    app.session_interface = ConsoleCookies()
    csrf.init_app(app)
    app.before_request(_guard)
    app.after_request(_add_headers)
    app.context_processor(_told_to_pages)
    app.add_template_filter(moment)


def _is_console() -> bool:
    return request.path == ROOT or request.path.startswith(f"{ROOT}/")


def _guard() -> ResponseReturnValue | None:
    """Let nobody further who is not signed in; only then is a body read, and its token checked."""
    if not _is_console():
        return None
    speak(session.get(LANGUAGE))
    if not _is_open_to_strangers():
        refused = _let_in() or _nothing_here()
        if refused is not None:
            return refused
        _allow_large_body()
    csrf.protect()
    return None


def _is_open_to_strangers() -> bool:
    endpoint = request.endpoint or ""
    return endpoint.startswith("doorway.") or endpoint.endswith(".static")


def _let_in() -> ResponseReturnValue | None:
    try:
        g.signed_in = find_console_session(session.get(TOKEN, ""), this_device())
    except (SignInNeeded, SignInExpired) as failure:
        if session.pop(TOKEN, None):
            flash(message_on_page(failure), "error")
        return redirect(url_for("doorway.sign_in", next=_here()))
    return None


def _here() -> str:
    return request.full_path.rstrip("?") if request.method == "GET" else ROOT


def _nothing_here() -> ResponseReturnValue | None:
    """Answer for addresses that are no page's: without a blueprint, nobody else would as a page."""
    wrong = request.routing_exception
    return None if wrong is None or isinstance(wrong, RequestRedirect) else error_page(wrong)


def takes_body(largest: int) -> Callable[[V], V]:
    """Mark a view that takes a larger body than others, from those who are signed in."""

    def mark(view: V) -> V:
        view.__dict__["largest_body"] = largest
        return view

    return mark


def _allow_large_body() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    largest = getattr(view, "largest_body", None)
    if largest is not None:
        request.max_content_length = largest
        # The parser holds that much of a file at a time, as well as all fields.
        request.max_form_memory_size = FORM_MEMORY


def signed_in() -> SignedIn:
    """Give who is signed in."""
    return cast(SignedIn, g.signed_in)


def this_desk() -> Desk:
    """Give the desk that the page is about: one's own tenant's, or the one that was chosen.

    Raises TenantUnknown while none is chosen.
    """
    if "desk" not in g:
        whose = signed_in()
        slug = whose.tenant_slug or session.get(TENANT)
        if slug is None:
            raise TenantUnknown
        g.desk = open_desk(whose, slug)
    return cast(Desk, g.desk)


def find_desk() -> Desk | None:
    """Give the desk, if a tenant is chosen and still there."""
    with suppress(TenantUnknown):
        return this_desk()
    return None


def nonce() -> str:
    """Give what marks the scripts and styles of this answer as ours."""
    return str(g.setdefault("nonce", token_urlsafe(16)))


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
        "shown_desk": _shown_desk,
        "console_menu": _menu,
        "language": str(get_locale()),
        "csp_nonce": nonce,
        "message_on_page": message_on_page,
    }


def _shown_desk() -> Desk | None:
    """Give the desk even to the page that tells of a failure, of the database's among them."""
    with suppress(Failure, SQLAlchemyError):
        return this_desk()
    return None


def _menu() -> list[Any]:
    items = current_app.extensions["admin"][0].menu()
    return [item for item in items if item.is_visible() and item.is_accessible()]


def error_page(error: Exception) -> ResponseReturnValue:
    """Tell a failure as a page, in words that say what to do."""
    failure = failure_of(PageOutdated() if isinstance(error, CSRFError) else error)
    # What is told to programs names the description of the API.
    said = gettext("There is no such page.") if failure.code == "not_found" else None
    page = render_template("console/error.html", failure=failure, said=said)
    return page, failure.status, advice_of(failure)


def moment(when: datetime | None) -> str:
    """Tell when, in UTC, to the minute."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else "–"
