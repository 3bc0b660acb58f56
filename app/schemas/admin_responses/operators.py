"""Response schemas of operators and operator sessions."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.responses import Response


class OperatorTokensResponse(Response):
    """Access token and refresh token of a script. `expires_in` is in seconds."""

    access_token = fields.String()
    refresh_token = fields.String()
    expires_in = fields.Integer()


class SignedInResponse(Response):
    """The signed-in operator."""

    id = fields.UUID(attribute="operator_id")
    email = fields.String()
    role = fields.String()
    tenant = fields.String(attribute="tenant_slug", allow_none=True)
    proven_at = fields.AwareDateTime(
        metadata={"description": "Time of the last sign-in or step-up"}
    )


class OwnSessionResponse(Response):
    """One of the operator's own sessions."""

    id = fields.UUID()
    kind = fields.String(metadata={"description": "`console` or `script`"})
    device = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    created_at = fields.AwareDateTime()
    seen_at = fields.AwareDateTime()
    is_current = fields.Boolean()


class OwnSessionListResponse(Response):
    """The operator's active sessions, most recently used first, at most 100."""

    items = fields.List(fields.Nested(OwnSessionResponse))


class EnrolmentResponse(Response):
    """The secret to add to an authenticator app, as a URI and in base32."""

    uri = fields.String(metadata={"description": "`otpauth://...`, for a QR code"})
    secret = fields.String(metadata={"description": "In base32, to be typed in"})


class RecoveryCodesResponse(Response):
    """Ten recovery codes. No later response contains them, and each works once."""

    recovery_codes = fields.List(fields.String())


class AcceptedResponse(Response):
    """E-mail address of the operator who accepted an invitation."""

    email = fields.String()


class OperatorResponse(Response):
    """An operator with role, tenant and status, as shown to platform admins."""

    id = fields.UUID()
    email = fields.String()
    role = fields.String()
    tenant = fields.String(attribute="tenant_slug", allow_none=True)
    status = fields.String()
    is_invited = fields.Boolean(
        metadata={"description": "Whether the operator has not set a password yet"}
    )
    asks_code = fields.Boolean(metadata={"description": "Whether sign-in requires a one-time code"})
    signed_in_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()


class OperatorListResponse(PageResponse):
    """A page of operators, sorted by e-mail address."""

    items = fields.List(fields.Nested(OperatorResponse))


class InvitationResponse(Response):
    """An invited operator and the secret of the invitation link, which is shown only once."""

    operator = fields.Nested(OperatorResponse)
    invitation = fields.String()
