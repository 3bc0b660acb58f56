"""Lists of audit events, of a tenant and of the platform."""

from datetime import UTC, datetime
from typing import ClassVar

from app.admin.console.labels import ACTIONS, ACTORS, changes, filter_options, label_formatter
from app.admin.console.page_scope import signed_in, this_tenant_scope
from app.admin.console.pages import FilteredList, ListFilter, filter_value
from app.admin.console.rendering import moment
from app.errors import RequestInvalid
from app.i18n_marker import N_
from app.models import AuditEvent
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin.audit_log import (
    AuditQuery,
    ListedEvent,
    offset_page_of_audit,
    offset_page_of_service_audit,
)


class AuditView(FilteredList):
    """List of the tenant's audit events."""

    list_template = "console/audit.html"
    column_list = ("created_at", "actor_kind", "actor", "action", "subject", "address")
    column_labels: ClassVar = {
        "created_at": N_("Time"),
        "actor_kind": N_("Actor"),
        "actor": N_("ID"),
        "action": N_("Action"),
        "subject": N_("Subject"),
        "address": N_("Address"),
    }
    column_formatters: ClassVar = {
        "created_at": lambda _view, _context, one, _name: moment(one.at),
        "actor_kind": label_formatter(ACTORS),
        "actor": lambda _view, _context, one, _name: one.actor_email or one.actor_id or "–",
        "action": label_formatter(ACTIONS),
    }
    column_sortable_list = ("created_at",)
    changes = staticmethod(changes)

    def __init__(self, name: str = N_("Audit log"), path: str = "audit") -> None:
        super().__init__(AuditEvent, name, path)

    def list_filters(self) -> list[ListFilter]:
        """Return filters by actor, e-mail address, action, subject and time."""
        return [
            ListFilter("actor", N_("Actor"), filter_options(ACTORS)),
            ListFilter("email", N_("E-mail address of the admin")),
            ListFilter(
                "action", N_("Action"), sorted(filter_options(ACTIONS), key=lambda one: one[1])
            ),
            ListFilter("subject", N_("Subject")),
            ListFilter("since", N_("From (UTC)"), kind="datetime-local"),
            ListFilter("until", N_("Until (UTC)"), kind="datetime-local"),
        ]

    def find(self, offset_page: OffsetPage) -> Page[ListedEvent]:
        """Return a page of the tenant's audit events that match the filters."""
        return offset_page_of_audit(this_tenant_scope(), _query(), offset_page)


class ServiceAuditView(AuditView):
    """List of the platform's audit events, which belong to no tenant. Only for platform admins."""

    for_platform, of_tenant = True, False

    def __init__(self) -> None:
        super().__init__(N_("Platform audit log"), "service-audit")

    def find(self, offset_page: OffsetPage) -> Page[ListedEvent]:
        """Return a page of platform audit events that match the filters."""
        return offset_page_of_service_audit(signed_in().actor, _query(), offset_page)


def _query() -> AuditQuery:
    return AuditQuery(
        action=filter_value("action"),
        actor_kind=filter_value("actor"),
        actor_email=filter_value("email"),
        subject=filter_value("subject"),
        since=_moment(filter_value("since")),
        until=_moment(filter_value("until")),
    )


def _moment(text: str | None) -> datetime | None:
    """Parse an ISO 8601 time, in UTC if it has no offset. Raise RequestInvalid if malformed."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RequestInvalid from None
