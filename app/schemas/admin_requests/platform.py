"""Request schemas of tenants and operators, used by platform admins."""

from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate, validates_schema

from app.schemas.admin_requests.fields import STATUS, ChangeRequest, Slug
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.fields import EmailAddress, Label
from app.schemas.loading import RequestSchema, Variant

ROLE = validate.OneOf(["platform", "tenant_admin", "tenant_reader"])
PHONE_OWNER = validate.OneOf(["bind", "refuse"])


@dataclass(frozen=True, slots=True)
class NewTenantBody:
    """A tenant to add."""

    slug: str
    name: str
    phone_owner_policy: str = "bind"


class NewTenantRequest(RequestSchema[NewTenantBody]):
    """A tenant to add. Without a `phone_owner_policy`, the policy is `bind`."""

    record = NewTenantBody

    slug = Slug(
        required=True,
        metadata=about(
            "Short name in URLs: lower-case letters, digits and hyphens. It cannot be"
            " changed later.",
            examples.SLUG,
        ),
    )
    name = Label(
        required=True,
        metadata=shown.TENANT_NAME,
    )
    phone_owner_policy = fields.String(
        validate=PHONE_OWNER,
        metadata=shown.PHONE_OWNER,
    )


@dataclass(frozen=True, slots=True)
class TenantChangeBody:
    """New settings of a tenant. None leaves a setting unchanged."""

    name: str | None = None
    status: str | None = None
    phone_owner_policy: str | None = None
    visitor_days: int | None = None


class TenantChangeRequest(ChangeRequest[TenantChangeBody]):
    """New settings of a tenant. Fields that are not sent stay unchanged."""

    record = TenantChangeBody
    example_fields: ClassVar = ("name",)

    name = Label(metadata=shown.TENANT_NAME)
    status = fields.String(
        validate=STATUS,
        metadata=about(
            "`disabled` rejects every request for apps, users and operators of the tenant.",
            "active",
        ),
    )
    phone_owner_policy = fields.String(
        validate=PHONE_OWNER,
        metadata=shown.PHONE_OWNER,
    )
    visitor_days = fields.Integer(
        strict=True, validate=validate.Range(1, 3650), metadata=shown.VISITOR_DAYS
    )


def require_tenant_for_tenant_roles(data: dict[str, Any]) -> None:
    """Raise ValidationError if a tenant role has no tenant, or a platform admin has one."""
    if "role" in data and (data["role"] == "platform") != (data.get("tenant_slug") is None):
        raise ValidationError("A tenant role needs a tenant. A platform admin has none.", "tenant")


@dataclass(frozen=True, slots=True)
class NewOperatorBody:
    """An operator to invite. `tenant_slug` is None for a platform admin."""

    email: str
    role: str
    tenant_slug: str | None


class NewOperatorRequest(RequestSchema[NewOperatorBody]):
    """An operator to invite. A tenant role requires a tenant."""

    record = NewOperatorBody

    email = EmailAddress(required=True, metadata=shown.EMAIL)
    role = fields.String(required=True, validate=ROLE, metadata=shown.ROLE)
    tenant_slug = Slug(
        data_key="tenant", allow_none=True, load_default=None, metadata=shown.OPERATOR_TENANT
    )

    @validates_schema
    def role_fits(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError if role and tenant do not fit together."""
        require_tenant_for_tenant_roles(data)


@dataclass(frozen=True, slots=True)
class OperatorChangeBody:
    """A new status, or a new role with its tenant. None leaves a value unchanged."""

    status: str | None = None
    role: str | None = None
    tenant_slug: str | None = None


class OperatorChangeRequest(ChangeRequest[OperatorChangeBody]):
    """A new status of an operator, or a new role with its tenant."""

    record = OperatorChangeBody
    variants: ClassVar = {
        "status": Variant("Disable or enable", ("status",)),
        "role": Variant("Change the role", ("role", "tenant")),
    }

    status = fields.String(
        validate=STATUS,
        metadata=about(
            "`disabled` ends all sessions of the operator and rejects the sign-in.", "disabled"
        ),
    )
    role = fields.String(validate=ROLE, metadata=shown.ROLE)
    tenant_slug = Slug(data_key="tenant", allow_none=True, metadata=shown.OPERATOR_TENANT)

    @validates_schema
    def changes_one_thing(self, data: dict[str, Any], **_: Any) -> None:
        """Raise ValidationError for a status together with a role, or a tenant without a role."""
        if ("status" in data) == ("role" in data) or set(data) == {"status", "tenant_slug"}:
            raise ValidationError("Send either status, or role and tenant.", "status")
        require_tenant_for_tenant_roles(data)
