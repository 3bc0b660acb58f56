"""Access control of the console: host names, cross-site requests, session and CSRF token."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    current_app,
    flash,
    g,
    redirect,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import RequestRedirect

from app.admin.console.compression import OUR_SITES, compress
from app.admin.console.cookies import (
    LANGUAGE,
    TOKEN,
    ConsoleCookies,
    has_two_cookies,
    is_console,
    keep_cookie,
)
from app.admin.console.forms.drafts import keep_draft, restored_form
from app.admin.console.htmx import redirect_page
from app.admin.console.page_scope import address_to_show
from app.admin.console.rendering import error_page
from app.allowed_hosts import is_allowed_host
from app.auth import this_device
from app.errors import (
    CookiesAmbiguous,
    CrossSiteForm,
    Failure,
    HostNotAllowed,
    SignInExpired,
    SignInNeeded,
)
from app.headers import CONSOLE, policy_of
from app.languages import speak
from app.problems import message_on_page
from app.services.operators.sessions import find_console_session, find_expired_operator

V = TypeVar("V", bound=Callable[..., Any])


FORM_MEMORY = 512 * 1024


csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Check every request below /console, and add security headers to its response."""
    app.session_interface = ConsoleCookies()
    csrf.init_app(app)
    app.before_request(_guard)
    app.after_request(_add_headers)


def _guard() -> ResponseReturnValue | None:
    """Return an error page or a redirect for a request that is not allowed, otherwise None.

    The CSRF token is checked last, because the check reads the body, which is read only for
    operators with a session. Raise CSRFError if the token is wrong.
    """
    if not is_console():
        return None
    refusal = _find_refusal()
    if refusal is not None:
        keep_cookie()
        return error_page(refusal)
    speak(session.get(LANGUAGE))
    if not _needs_no_session():
        refused = _require_session() or _refuse_unknown_page()
        if refused is not None:
            return refused
        _allow_large_body()
    csrf.protect()
    return None


def _find_refusal() -> Failure | None:
    """Return the error of a request that is refused before its session is read, or None."""
    if not is_allowed_host():
        return HostNotAllowed()
    if _is_cross_site_form():
        return CrossSiteForm()
    return CookiesAmbiguous() if has_two_cookies() else None


def _is_cross_site_form() -> bool:
    if request.method in ("GET", "HEAD"):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in OUR_SITES
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


def _needs_no_session() -> bool:
    endpoint = request.endpoint or ""
    return endpoint.startswith("auth.") or endpoint.endswith(".static")


def _require_session() -> ResponseReturnValue | None:
    """Store the operator's session in `g`, or return a redirect to the sign-in page.

    A form submitted with an expired session is kept as a draft.
    """
    try:
        g.signed_in = find_console_session(session.get(TOKEN, ""), this_device())
    except SignInExpired as failure:
        _keep_late_form()
        session.pop(TOKEN)
        flash(message_on_page(failure), "error")
        return _redirect_to_sign_in()
    except SignInNeeded:
        # Keep the token, because its sign-in may still require the one-time code.
        return _redirect_to_sign_in()
    if "tenant_slug" not in g and g.signed_in.tenant_slug:
        g.tenant_slug = g.signed_in.tenant_slug
    return None


def _redirect_to_sign_in() -> ResponseReturnValue:
    return redirect(url_for("auth.sign_in", next=address_to_show()))


def _keep_late_form() -> None:
    """Keep a form submitted with an expired session as a draft, if its CSRF token is valid."""
    operator_id = find_expired_operator(session.get(TOKEN, "")) if restored_form() else None
    if operator_id is not None:
        with suppress(CSRFError, RequestEntityTooLarge):
            csrf.protect()
            keep_draft(operator_id)


def _refuse_unknown_page() -> ResponseReturnValue | None:
    """Return the error page for an unknown path, for which Flask calls no blueprint handler."""
    wrong = request.routing_exception
    return None if wrong is None or isinstance(wrong, RequestRedirect) else error_page(wrong)


def accepts_body_up_to(largest: int) -> Callable[[V], V]:
    """Mark a view that accepts a body of up to `largest` bytes from signed-in operators."""

    def mark(view: V) -> V:
        view.__dict__["largest_body"] = largest
        return view

    return mark


def _allow_large_body() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    largest = getattr(view, "largest_body", None)
    if largest is not None:
        request.max_content_length = largest
        # Werkzeug counts all fields, and the buffered part of a file, towards this limit.
        request.max_form_memory_size = FORM_MEMORY


def _add_headers(response: Response) -> Response:
    if is_console():
        response.headers["Content-Security-Policy"] = policy_of(CONSOLE)
        # The CSRF check compares the Referer header with the host.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response = compress(redirect_page(response))
    return response
