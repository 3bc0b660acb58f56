"""Responses about operators and their own sessions."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.responses import Response


class OperatorTokensResponse(Response):
    """Tokens of a script. The lifetime is in seconds."""

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
        metadata={"description": "When password and one-time code were last proven"}
    )


class OwnSessionResponse(Response):
    """A session of the operator."""

    id = fields.UUID()
    kind = fields.String(metadata={"description": "`console` or `script`"})
    device = fields.String(allow_none=True)
    address = fields.String(allow_none=True)
    created_at = fields.AwareDateTime()
    seen_at = fields.AwareDateTime()
    is_current = fields.Boolean()


class OwnSessionListResponse(Response):
    """The operator's active sessions, the latest used first; 100 at most."""

    items = fields.List(fields.Nested(OwnSessionResponse))


class EnrolmentResponse(Response):
    """The secret of one-time codes, for an authenticator app."""

    uri = fields.String(metadata={"description": "`otpauth://...`, for a QR code"})
    secret = fields.String(metadata={"description": "In base32, for typing"})


class RecoveryCodesResponse(Response):
    """Ten recovery codes. They are shown once; each works once."""

    recovery_codes = fields.List(fields.String())


class AcceptedResponse(Response):
    """The operator who accepted the invitation."""

    email = fields.String()


class OperatorResponse(Response):
    """An operator."""

    id = fields.UUID()
    email = fields.String()
    role = fields.String()
    tenant = fields.String(attribute="tenant_slug", allow_none=True)
    status = fields.String()
    is_invited = fields.Boolean(metadata={"description": "Whether a password is still to come"})
    asks_code = fields.Boolean(metadata={"description": "Whether one-time codes are asked for"})
    signed_in_at = fields.AwareDateTime(allow_none=True)
    created_at = fields.AwareDateTime()


class OperatorListResponse(PageResponse):
    """Operators by e-mail address."""

    items = fields.List(fields.Nested(OperatorResponse))


class InvitationResponse(Response):
    """An invited operator, and the secret of the link. It is shown once."""

    operator = fields.Nested(OperatorResponse)
    invitation = fields.String()
