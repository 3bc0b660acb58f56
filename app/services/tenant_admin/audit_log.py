"""Queries of the audit log of a tenant or of the platform, with filters and pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from app.models import Operator
from app.models.audit_event import EventColumns
from app.services.audit import Actor, first_id, log_of
from app.services.database.paging import (
    CursorPage,
    Listing,
    OffsetListing,
    OffsetPage,
    Page,
    read_offset_page,
    read_page,
)
from app.services.tenant_admin.stale_lists import read_list
from app.services.tenant_admin.tenant_scope import TenantScope
from app.text_cleaning import email_name

# The most by which an event's id, which has the time of the insert, and `created_at`, which is the
# start of the transaction, differ.
LONGEST_TRANSACTION = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """A filter of audit events. None matches all.

    `since` is inclusive and `until` exclusive. `actor_email` is the e-mail address of an operator.
    """

    action: str | None = None
    actor_kind: str | None = None
    actor_email: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """An audit event. `actor_email` is None if the actor is not an operator."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_email: str | None
    action: str
    subject: str
    address: str | None
    details: dict[str, Any]


def list_audit(scope: TenantScope, query: AuditQuery, cursor_page: CursorPage) -> Page[ListedEvent]:
    """List the tenant's events, newest first. Raise CursorInvalid."""
    return _page(scope.actor, scope.tenant_id, query, cursor_page)


def list_service_audit(
    actor: Actor, query: AuditQuery, cursor_page: CursorPage
) -> Page[ListedEvent]:
    """List the platform's events, newest first. For platform admins only. Raise CursorInvalid."""
    return _page(actor, None, query, cursor_page)


def _page(
    actor: Actor, tenant_id: UUID | None, query: AuditQuery, cursor_page: CursorPage
) -> Page[ListedEvent]:
    events, _ = log_of(tenant_id)
    rows = events_of(tenant_id).where(*_wanted(tenant_id, query))
    listing = Listing(rows, events.id, f"audit:{tenant_id}:{query}")
    return read_list(actor, tenant_id, lambda db: read_page(db, listing, cursor_page, shown_event))


def offset_page_of_audit(
    scope: TenantScope, query: AuditQuery, offset_page: OffsetPage
) -> Page[ListedEvent]:
    """Return a numbered page of the tenant's events."""
    return _offset_page(scope.actor, scope.tenant_id, query, offset_page)


def offset_page_of_service_audit(
    actor: Actor, query: AuditQuery, offset_page: OffsetPage
) -> Page[ListedEvent]:
    """Return a numbered page of the platform's events. For platform admins only."""
    return _offset_page(actor, None, query, offset_page)


def _offset_page(
    actor: Actor, tenant_id: UUID | None, query: AuditQuery, offset_page: OffsetPage
) -> Page[ListedEvent]:
    events, of_tenant = log_of(tenant_id)
    # Ids contain the time of the insert, so they sort like `created_at`.
    orders = {"created_at": events.id}
    wanted = (of_tenant, *_wanted(tenant_id, query))
    listing = OffsetListing(events_of(tenant_id), events.id, wanted, orders)
    return read_list(
        actor, tenant_id, lambda db: read_offset_page(db, listing, offset_page, shown_event)
    )


def _wanted(tenant_id: UUID | None, query: AuditQuery) -> Sequence[ColumnElement[bool]]:
    events, _ = log_of(tenant_id)
    wanted: list[ColumnElement[bool]] = []
    for column in ("action", "actor_kind", "subject"):
        if (value := getattr(query, column)) is not None:
            wanted.append(getattr(events, column) == value)
    if query.actor_email is not None:
        who = select(Operator.id).where(Operator.email == email_name(query.actor_email))
        by_operator = events.actor_kind == "operator"
        wanted += [by_operator, events.actor_id == who.scalar_subquery()]
    if query.since is not None:
        wanted += happened_since(events, query.since)
    if query.until is not None:
        last = first_id(query.until, LONGEST_TRANSACTION)
        wanted += [events.created_at < query.until, events.id < last]
    return wanted


def happened_since(events: type[EventColumns], moment: datetime) -> Sequence[ColumnElement[bool]]:
    """Return the conditions for the events since a time. The one on the id is found by index."""
    first = first_id(moment, -LONGEST_TRANSACTION)
    return events.created_at >= moment, events.id >= first


def events_of(tenant_id: UUID | None) -> Select[EventColumns, str | None]:
    """Select the events of a tenant or the platform, with the e-mail addresses of operators."""
    events, of_tenant = log_of(tenant_id)
    by_operator = (events.actor_kind == "operator") & (Operator.id == events.actor_id)
    return select(events, Operator.email).outerjoin(Operator, by_operator).where(of_tenant)


def shown_event(event: EventColumns, actor_email: str | None) -> ListedEvent:
    """Return an event with the e-mail address of its operator."""
    return ListedEvent(
        event.id,
        event.created_at,
        event.actor_kind,
        event.actor_id,
        actor_email,
        event.action,
        event.subject,
        event.ip,
        event.details,
    )
