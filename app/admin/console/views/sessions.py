"""List of a tenant's login sessions."""

from typing import Any
from uuid import UUID

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from app.admin.console.labels import ENDED, SESSION_STATES, filter_options
from app.admin.console.lists import ListFilter, filter_value, read_list
from app.admin.console.page_scope import this_tenant_scope
from app.admin.console.pages import tenant_pages
from app.admin.console.submissions import done
from app.errors import RequestInvalid
from app.i18n_marker import N_
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin.apps import name_apps
from app.services.tenant_admin.sessions import (
    ListedSession,
    SessionQuery,
    end_session,
    offset_page_of_sessions,
)

LIST_ARGUMENTS = ("app", "living", "user", "page", "size", "sort", "desc")

pages = tenant_pages("sessions", "sessions")


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show a page of the tenant's login sessions that match the filters."""
    sessions = read_list(_find, _filters(), ("created_at", "seen_at"))
    return render_template("console/sessions.html", sessions=sessions, ended=ENDED)


@pages.route("/<uuid:session_id>/end", methods=["POST"])
def end(session_id: UUID) -> ResponseReturnValue:
    """End a login session, and redirect to the same page of the list."""
    end_session(this_tenant_scope(), session_id)
    return done(url_for(".index", **_list_arguments()), gettext("The session was ended."))


def _list_arguments() -> dict[str, Any]:
    """Return the query parameters that select the current page of the list."""
    return {name: request.args[name] for name in LIST_ARGUMENTS if name in request.args}


def _filters() -> list[ListFilter]:
    return [
        ListFilter("app", N_("Mini-program"), name_apps(this_tenant_scope())),
        ListFilter("living", N_("State"), filter_options(SESSION_STATES)),
        ListFilter("user", N_("ID of the user")),
    ]


def _find(offset_page: OffsetPage) -> Page[ListedSession]:
    living = {"yes": True, "no": False}.get(filter_value("living") or "")
    query = SessionQuery(filter_value("app"), _user_id(filter_value("user")), living)
    return offset_page_of_sessions(this_tenant_scope(), query, offset_page)


def _user_id(text: str | None) -> UUID | None:
    """Parse the id of a user. Raise RequestInvalid if it is not a UUID."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise RequestInvalid from None
