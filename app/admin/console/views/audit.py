"""Lists of audit events, of a tenant and of the platform."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from flask import render_template
from flask.typing import ResponseReturnValue

from app.admin.console.labels import ACTIONS, ACTORS, changes, filter_options
from app.admin.console.lists import ListFilter, filter_value, read_list
from app.admin.console.page_access import require_platform_admin
from app.admin.console.page_scope import signed_in, this_tenant_scope
from app.admin.console.pages import own_pages, tenant_pages
from app.admin.console.times import time_zone
from app.errors import RequestInvalid
from app.i18n_marker import N_
from app.services.database.paging import OffsetPage, Page
from app.services.tenant_admin.audit_log import (
    AuditQuery,
    ListedEvent,
    offset_page_of_audit,
    offset_page_of_service_audit,
)

pages = tenant_pages("audit", "audit")
platform_pages = own_pages("service-audit", "service-audit", require_platform_admin)


@pages.route("/")
def index() -> ResponseReturnValue:
    """Show a page of the tenant's audit events that match the filters."""
    return _show(lambda page: offset_page_of_audit(this_tenant_scope(), _query(), page))


@platform_pages.route("/", endpoint="index")
def platform_index() -> ResponseReturnValue:
    """Show a page of the platform's audit events, which belong to no tenant."""
    return _show(lambda page: offset_page_of_service_audit(signed_in().actor, _query(), page))


def _show(find: Callable[[OffsetPage], Page[ListedEvent]]) -> ResponseReturnValue:
    return render_template(
        "console/audit.html",
        events=read_list(find, _filters(), ("created_at",)),
        labels={"actions": ACTIONS, "actors": ACTORS},
        changes=changes,
    )


def _filters() -> Sequence[ListFilter]:
    actions = sorted(filter_options(ACTIONS), key=lambda one: one[1])
    return [
        ListFilter("actor", N_("Actor"), filter_options(ACTORS)),
        ListFilter("email", N_("E-mail address of the admin")),
        ListFilter("action", N_("Action"), actions),
        ListFilter("subject", N_("Subject")),
        ListFilter("since", N_("From"), kind="datetime-local"),
        ListFilter("until", N_("Until"), kind="datetime-local"),
    ]


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
    """Parse an ISO 8601 time. Without an offset it is in the time zone of the page.

    Raises RequestInvalid for any other text.
    """
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=time_zone())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RequestInvalid from None
