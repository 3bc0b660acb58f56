"""Template variables and filters of the console, and the error page."""

from contextlib import suppress
from typing import cast

from flask import Flask, g, render_template, session
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError

from app.admin.console.cookies import THEME, THEMES
from app.admin.console.labels import label_of
from app.admin.console.page_scope import address_to_show, this_tenant_scope
from app.errors import Failure, PageOutdated
from app.headers import nonce
from app.problems import failure_of, message_on_page, retry_after_header
from app.services.tenant_admin.tenant_scope import TenantScope


def init_app(app: Flask) -> None:
    """Register template variables and filters."""
    app.context_processor(_template_values)


def _template_values() -> dict[str, object]:
    return {
        "signed_in": g.get("signed_in"),
        "shown_tenant": find_tenant_scope,
        "address_to_show": address_to_show,
        "language": str(get_locale()),
        "theme": _theme(),
        "csp_nonce": nonce,
        "message_on_page": message_on_page,
        "label_of": label_of,
    }


def _theme() -> str:
    """Return the theme in the cookie, or that of the system for an unknown one."""
    theme = session.get(THEME) if session else None
    return theme if theme in THEMES else THEMES[0]


def find_tenant_scope() -> TenantScope | None:
    """Return the tenant scope for the header and the menu, or None without a tenant.

    Database errors are suppressed, because error pages call this function, too.
    """
    if "shown_tenant" not in g:
        g.shown_tenant = None
        with suppress(Failure, SQLAlchemyError):
            g.shown_tenant = this_tenant_scope() if "tenant_slug" in g else None
    return cast(TenantScope | None, g.shown_tenant)


def error_page(error: Exception) -> ResponseReturnValue:
    """Return the error page for an exception, with status and Retry-After header."""
    failure = failure_of(PageOutdated() if isinstance(error, CSRFError) else error)
    # The API message refers to the OpenAPI document, which does not list console pages.
    said = gettext("There is no such page.") if failure.code == "not_found" else None
    page = render_template("console/error.html", failure=failure, said=said)
    return page, failure.status, retry_after_header(failure)
