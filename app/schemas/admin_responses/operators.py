"""Response schemas of operators and operator sessions."""

from marshmallow import fields

from app.schemas.admin_responses.page import PageResponse
from app.schemas.descriptions import examples, shown
from app.schemas.descriptions.about import about
from app.schemas.responses import Response


class OperatorTokensResponse(Response):
    """Access token and refresh token of a script. `expires_in` is in seconds."""

    access_token = fields.String(
        metadata=about("JWT. Send it as `Authorization: Bearer <access_token>`.", examples.JWT)
    )
    refresh_token = fields.String(
        metadata=about(
            "Single-use token for `POST /v1/admin/refresh`, valid for 30 days.",
            examples.REFRESH_TOKEN,
        )
    )
    expires_in = fields.Integer(metadata=about("Lifetime of the JWT in seconds.", 900))


class SignedInResponse(Response):
    """The signed-in operator."""

    id = fields.UUID(attribute="operator_id", metadata=shown.OPERATOR_ID)
    email = fields.String(metadata=shown.EMAIL)
    role = fields.String(metadata=shown.ROLE)
    tenant = fields.String(attribute="tenant_slug", allow_none=True, metadata=shown.OPERATOR_TENANT)
    proven_at = fields.AwareDateTime(
        metadata=about(
            "Time of the last sign-in or step-up. Sensitive requests are accepted for 5"
            " minutes from then.",
            examples.NOW,
        )
    )


class OwnSessionResponse(Response):
    """One of the operator's own sessions."""

    id = fields.UUID(metadata=shown.SESSION_ID)
    kind = fields.String(
        metadata=about("`console` for a browser, `script` for the admin API.", "script")
    )
    device = fields.String(allow_none=True, metadata=shown.DEVICE)
    address = fields.String(allow_none=True, metadata=shown.ADDRESS)
    created_at = fields.AwareDateTime(metadata=about("Time of the sign-in.", examples.EARLIER))
    seen_at = fields.AwareDateTime(metadata=shown.SEEN_AT)
    is_current = fields.Boolean(
        metadata=about("True for the session that sent this request.", True)
    )


class OwnSessionListResponse(Response):
    """The operator's active sessions, most recently used first, at most 100."""

    items = fields.List(fields.Nested(OwnSessionResponse), metadata=about("Your active sessions."))


class EnrolmentResponse(Response):
    """The secret to add to an authenticator app, as a URI and in base32."""

    uri = fields.String(
        metadata=about(
            "`otpauth://` URI. Show it as a QR code.",
            "otpauth://totp/wxpass:ann%40acme.example?secret=JBSWY3DPEHPK3PXP&issuer=wxpass",
        )
    )
    secret = fields.String(
        metadata=about("The same secret in base32, to be typed in.", "JBSWY3DPEHPK3PXP")
    )


class RecoveryCodesResponse(Response):
    """Ten recovery codes. No later response contains them, and each works once."""

    recovery_codes = fields.List(
        fields.String(),
        metadata=about(
            "Recovery codes. Store them safely; each works once instead of a one-time code.",
            examples.RECOVERY_CODES,
        ),
    )


class AcceptedResponse(Response):
    """E-mail address of the operator who accepted an invitation."""

    email = fields.String(metadata=shown.EMAIL)


class OperatorResponse(Response):
    """An operator with role, tenant and status, as shown to platform admins."""

    id = fields.UUID(metadata=shown.OPERATOR_ID)
    email = fields.String(metadata=shown.EMAIL)
    role = fields.String(metadata=shown.ROLE)
    tenant = fields.String(attribute="tenant_slug", allow_none=True, metadata=shown.OPERATOR_TENANT)
    status = fields.String(metadata=shown.STATUS)
    is_invited = fields.Boolean(
        metadata=about("True until the operator has set a password.", False)
    )
    asks_code = fields.Boolean(metadata=about("True if sign-in requires a one-time code.", True))
    signed_in_at = fields.AwareDateTime(
        allow_none=True,
        metadata=about("Time of the last sign-in. Null if there was none.", examples.EARLIER),
    )
    created_at = fields.AwareDateTime(metadata=shown.CREATED_AT)


class OperatorListResponse(PageResponse):
    """A page of operators, sorted by e-mail address."""

    items = fields.List(
        fields.Nested(OperatorResponse), metadata=about("The operators of this page.")
    )


class InvitationResponse(Response):
    """An invited operator and the secret of the invitation link, which is shown only once."""

    operator = fields.Nested(OperatorResponse, metadata=about("The invited operator."))
    invitation = fields.String(
        metadata=about(
            "Secret for `POST /v1/admin/invitation`, valid for three days. It is shown only once.",
            examples.INVITATION,
        )
    )
