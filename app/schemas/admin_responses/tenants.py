"""Response schemas of tenants and audit events."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class TenantResponse(Response):
    """A tenant and its settings."""

    id = fields.UUID(metadata=about("Id of the tenant.", examples.TENANT_ID))
    slug = fields.String(metadata=about("Short name of the tenant in URLs.", examples.SLUG))
    name = fields.String(metadata=shown.TENANT_NAME)
    status = fields.String(metadata=shown.STATUS)
    phone_owner_policy = fields.String(metadata=shown.PHONE_OWNER)
    visitor_days = fields.Integer(metadata=shown.VISITOR_DAYS)
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)


class TenantListResponse(PageResponse):
    """A page of tenants, sorted by slug."""

    items = fields.List(fields.Nested(TenantResponse), metadata=about("The tenants of this page."))


class EventResponse(Response):
    """An audit event: time, actor, action, subject and changed values."""

    id = fields.UUID(metadata=shown.EVENT_ID)
    at = fields.AwareDateTime(metadata=shown.EVENT_AT)
    actor_kind = fields.String(
        metadata=about("Who acted: `user`, `operator`, `wechat` or `system`.", "operator")
    )
    actor_id = fields.UUID(
        allow_none=True,
        metadata=about(
            "Id of the actor. Null if the actor is no user or operator.", examples.OPERATOR_ID
        ),
    )
    actor_email = fields.String(
        allow_none=True,
        metadata=about("E-mail address of the operator. Null for other actors.", examples.EMAIL),
    )
    action = fields.String(
        metadata=about("What was done, for example `user.changed`.", "user.changed")
    )
    subject = fields.String(metadata=shown.SUBJECT)
    address = fields.String(allow_none=True, metadata=shown.ADDRESS)
    details = fields.Dict(
        metadata=about(
            "Changed values in `before` and `after`, and ids.",
            {"before": {"status": "active"}, "after": {"status": "disabled"}},
        )
    )


class AuditListResponse(PageResponse):
    """A page of audit events, newest first."""

    items = fields.List(fields.Nested(EventResponse), metadata=about("The events of this page."))
