"""List of a tenant's login sessions."""

from typing import Any, ClassVar
from uuid import UUID

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.labels import ENDED, SESSION_STATES, filter_options, label_of
from app.admin.console.links import user_link
from app.admin.console.page_scope import this_tenant_scope
from app.admin.console.pages import FilteredList, ListFilter, filter_value
from app.admin.console.submissions import done
from app.errors import RequestInvalid
from app.i18n_marker import N_
from app.models import LoginSession
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin.apps import name_apps
from app.services.tenant_admin.sessions import (
    ListedSession,
    SessionQuery,
    end_session,
    offset_page_of_sessions,
)

LIST_ARGUMENTS = ("app", "living", "user", "page", "sort", "desc")


class SessionsView(FilteredList):
    """List of the tenant's login sessions, with a button that ends a session."""

    list_template = "console/sessions.html"
    column_list = ("user_id", "app_name", "device", "address", "created_at", "seen_at", "living")
    column_labels: ClassVar = {
        "user_id": N_("User"),
        "app_name": N_("Mini-program"),
        "device": N_("Device"),
        "address": N_("Address"),
        "created_at": N_("Created"),
        "seen_at": N_("Last seen"),
        "living": N_("State"),
    }
    column_formatters: ClassVar = {
        "user_id": lambda _view, _context, one, _name: user_link(one.user_id),
        "living": lambda _view, _context, one, _name: _state(one),
    }
    column_sortable_list = ("created_at", "seen_at")

    def __init__(self) -> None:
        super().__init__(LoginSession, N_("Sessions"), "sessions")

    def list_filters(self) -> list[ListFilter]:
        """Return filters by mini-program, state and user."""
        return [
            ListFilter("app", N_("Mini-program"), name_apps(this_tenant_scope())),
            ListFilter("living", N_("State"), filter_options(SESSION_STATES)),
            ListFilter("user", N_("ID of the user")),
        ]

    def find(self, offset_page: OffsetPage) -> Page[ListedSession]:
        """Return a page of login sessions that match the filters."""
        living = {"yes": True, "no": False}.get(filter_value("living") or "")
        query = SessionQuery(filter_value("app"), _user_id(filter_value("user")), living)
        return offset_page_of_sessions(this_tenant_scope(), query, offset_page)

    @expose("/<uuid:session_id>/end", methods=["POST"])
    def end(self, session_id: UUID) -> ResponseReturnValue:
        """End a login session, and redirect to the same page of the list."""
        end_session(this_tenant_scope(), session_id)
        return done(
            url_for(".index_view", **self.list_arguments()), gettext("The session was ended.")
        )

    def list_arguments(self) -> dict[str, Any]:
        """Return the query parameters that select the current page of the list."""
        return {name: request.args[name] for name in LIST_ARGUMENTS if name in request.args}


def _user_id(text: str | None) -> UUID | None:
    """Parse the id of a user. Raise RequestInvalid if it is not a UUID."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise RequestInvalid from None


def _state(session: ListedSession) -> Any:
    if session.living:
        return label_of(SESSION_STATES, "yes")
    return label_of(ENDED, session.end_reason) if session.end_reason else gettext("Expired")
