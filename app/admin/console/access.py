"""Access to the console: the operator's session, CSRF and the tenant in the address."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from secrets import token_urlsafe
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import (
    Flask,
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
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import RequestRedirect
from werkzeug.sansio.utils import host_is_trusted

from app.admin.console.cookies import (
    LANGUAGE,
    ROOT,
    TOKEN,
    ConsoleCookies,
    has_two_cookies,
    is_console,
    keep_cookie,
)
from app.admin.console.forms.drafts import keep_draft, restored_form
from app.auth import this_device
from app.errors import (
    CookiesAmbiguous,
    CrossSiteForm,
    Failure,
    HostNotAllowed,
    PageOutdated,
    SignInExpired,
    SignInNeeded,
)
from app.headers import CONSOLE, POLICIES
from app.languages import speak
from app.problems import advice_of, failure_of, message_on_page
from app.services.operators.sessions import SignedIn, find_console_session, find_expired_operator
from app.services.tenant_admin.tenant_scope import TenantScope, open_tenant_scope

V = TypeVar("V", bound=Callable[..., Any])

FORM_MEMORY = 512 * 1024
# Values of Sec-Fetch-Site for our own pages, and for an address that was typed.
OUR_SITES = ("same-origin", "none")
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Guard every address below /console."""
    app.session_interface = ConsoleCookies()
    csrf.init_app(app)
    app.before_request(_guard)
    app.after_request(_add_headers)
    app.context_processor(_template_values)
    app.add_template_filter(moment)


def _guard() -> ResponseReturnValue | None:
    """Refuse other sites' forms and requests without a session; then check the CSRF token.

    The body is read only after the session is found.
    """
    if not is_console():
        return None
    refusal = _find_refusal()
    if refusal is not None:
        keep_cookie()
        return error_page(refusal)
    speak(session.get(LANGUAGE))
    if not _is_open_to_strangers():
        refused = _require_session() or _refuse_unknown_page()
        if refused is not None:
            return refused
        _allow_large_body()
    csrf.protect()
    return None


def _find_refusal() -> Failure | None:
    """Return why the request is refused before its session is read."""
    if not _is_allowed_host():
        return HostNotAllowed()
    if _is_cross_site_form():
        return CrossSiteForm()
    return CookiesAmbiguous() if has_two_cookies() else None


def _is_allowed_host() -> bool:
    """Return whether pages may be shown, and links made, under the host of the request."""
    allowed = current_app.config["ALLOWED_HOSTS"]
    return not allowed or host_is_trusted(request.host.lower(), allowed)


def _is_cross_site_form() -> bool:
    if request.method in ("GET", "HEAD"):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in OUR_SITES
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


def _is_open_to_strangers() -> bool:
    endpoint = request.endpoint or ""
    return endpoint.startswith("doorway.") or endpoint.endswith(".static")


def _require_session() -> ResponseReturnValue | None:
    """Find the operator's session, or redirect to the sign-in page and keep the form."""
    try:
        g.signed_in = find_console_session(session.get(TOKEN, ""), this_device())
    except SignInExpired as failure:
        _keep_late_form()
        session.pop(TOKEN)
        flash(message_on_page(failure), "error")
        return _redirect_to_sign_in()
    except SignInNeeded:
        # The token stays: its sign-in may still wait for the one-time code.
        return _redirect_to_sign_in()
    if "tenant_slug" not in g and g.signed_in.tenant_slug:
        g.tenant_slug = g.signed_in.tenant_slug
    return None


def _redirect_to_sign_in() -> ResponseReturnValue:
    return redirect(url_for("doorway.sign_in", next=address_to_show()))


def _keep_late_form() -> None:
    """Keep a form that was submitted with an expired session, if its CSRF token is right."""
    operator_id = find_expired_operator(session.get(TOKEN, "")) if restored_form() else None
    if operator_id is not None:
        with suppress(CSRFError, RequestEntityTooLarge):
            csrf.protect()
            keep_draft(operator_id)


def address_to_show() -> str:
    """Return the path, below the mount, of the page to show once the operator is signed in.

    It is the requested page. For a form it is the page that shows the form, if there is one, and
    the tenant's home page otherwise.
    """
    if request.method == "GET":
        return request.full_path.rstrip("?")
    if request.url_rule is not None and "GET" in (request.url_rule.methods or ()):
        return request.path
    return f"{ROOT}/t/{g.tenant_slug}/" if "tenant_slug" in g else f"{ROOT}/"


def _refuse_unknown_page() -> ResponseReturnValue | None:
    """Return the error page for an unknown address. No blueprint's handler covers it."""
    wrong = request.routing_exception
    return None if wrong is None or isinstance(wrong, RequestRedirect) else error_page(wrong)


def takes_body(largest: int) -> Callable[[V], V]:
    """Mark a view that accepts a larger body than others, from signed-in operators."""

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
    """Return the operator who is signed in."""
    return cast(SignedIn, g.signed_in)


def this_tenant_scope() -> TenantScope:
    """Return the scope of the tenant in the page's address.

    Raises:
        TenantUnknown: The tenant does not exist, or is not the operator's own.
    """
    if "tenant_scope" not in g:
        g.tenant_scope = open_tenant_scope(signed_in(), g.tenant_slug)
    return cast(TenantScope, g.tenant_scope)


def tenant_scope_for_changes() -> TenantScope:
    """Return the scope of the tenant in the page's address; raise RoleTooLow for a viewer."""
    scope = this_tenant_scope()
    scope.refuse_reader()
    return scope


def take_tenant(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Take the tenant out of the address, so that no view has to pass it on."""
    g.tenant_slug = (values or {}).pop("slug")


def add_tenant(_endpoint: str, values: dict[str, Any]) -> None:
    """Put the page's own tenant into links to tenant pages that name none."""
    if "tenant_slug" in g:
        values.setdefault("slug", g.tenant_slug)


def nonce() -> str:
    """Return the CSP nonce of this response."""
    return str(g.setdefault("nonce", token_urlsafe(16)))


def _add_headers(response: Response) -> Response:
    if is_console():
        policy = POLICIES[CONSOLE].format(nonce=nonce())
        response.headers["Content-Security-Policy"] = policy
        # The CSRF check reads the referrer of our own pages.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    return response


def _template_values() -> dict[str, object]:
    return {
        "signed_in": g.get("signed_in"),
        "shown_tenant": find_tenant_scope,
        "console_menu": _menu,
        "address_to_show": address_to_show,
        "language": str(get_locale()),
        "csp_nonce": nonce,
        "message_on_page": message_on_page,
    }


def find_tenant_scope() -> TenantScope | None:
    """Return the tenant scope for the header and the menu, None on a page without a tenant.

    Error pages call it too, even if the database is the error.
    """
    if "shown_tenant" not in g:
        g.shown_tenant = None
        with suppress(Failure, SQLAlchemyError):
            g.shown_tenant = this_tenant_scope() if "tenant_slug" in g else None
    return cast(TenantScope | None, g.shown_tenant)


def _menu() -> list[Any]:
    views = current_app.extensions["admin"][0]._views
    return [view for view in views if view.is_visible()]


def error_page(error: Exception) -> ResponseReturnValue:
    """Show a failure as a page, in words that say what to do."""
    failure = failure_of(PageOutdated() if isinstance(error, CSRFError) else error)
    # The message for programs points to the OpenAPI document.
    said = gettext("There is no such page.") if failure.code == "not_found" else None
    page = render_template("console/error.html", failure=failure, said=said)
    return page, failure.status, advice_of(failure)


def moment(when: datetime | None) -> str:
    """Format a time in UTC, to the minute."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else "–"
