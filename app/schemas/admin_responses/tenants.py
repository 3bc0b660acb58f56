"""Responses about tenants and their audit log."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.responses import Response


class TenantResponse(Response):
    """A tenant."""

    id = fields.UUID()
    slug = fields.String()
    name = fields.String()
    status = fields.String()
    phone_owner_policy = fields.String()
    visitor_days = fields.Integer(
        metadata={
            "description": "Days after the last login until retention erases a WeChat identity"
            " that belongs to no user"
        }
    )
    created_at = fields.AwareDateTime()


class TenantListResponse(PageResponse):
    """Tenants by slug."""

    items = fields.List(fields.Nested(TenantResponse))


class EventResponse(Response):
    """An event of the audit log."""

    id = fields.UUID()
    at = fields.AwareDateTime()
    actor_kind = fields.String()
    actor_id = fields.UUID(allow_none=True)
    actor_email = fields.String(allow_none=True)
    action = fields.String()
    subject = fields.String()
    address = fields.String(allow_none=True)
    details = fields.Dict(metadata={"description": "`before` and `after`, and ids"})


class AuditListResponse(PageResponse):
    """Events, newest first."""

    items = fields.List(fields.Nested(EventResponse))
