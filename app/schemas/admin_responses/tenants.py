"""Response schemas of tenants and audit events."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.responses import Response


class TenantResponse(Response):
    """A tenant and its settings."""

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
    """A page of tenants, sorted by slug."""

    items = fields.List(fields.Nested(TenantResponse))


class EventResponse(Response):
    """An audit event: time, actor, action, subject and changed values."""

    id = fields.UUID()
    at = fields.AwareDateTime()
    actor_kind = fields.String()
    actor_id = fields.UUID(allow_none=True)
    actor_email = fields.String(allow_none=True)
    action = fields.String()
    subject = fields.String()
    address = fields.String(allow_none=True)
    details = fields.Dict(
        metadata={"description": "Changed values in `before` and `after`, and ids"}
    )


class AuditListResponse(PageResponse):
    """A page of audit events, newest first."""

    items = fields.List(fields.Nested(EventResponse))
