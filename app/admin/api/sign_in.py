"""Routes for sign-in, token refresh, sign-out and invitations: /v1/admin/..."""

from app.admin.api.access import operator_login, this_operator
from app.admin.api.blueprint import Blueprint
from app.api.openapi.errors import NEW_PASSWORD, OPERATOR_CODE
from app.api.openapi.tags import ADMIN_SIGN_IN
from app.auth import no_login, this_device
from app.errors import (
    InvitationInvalid,
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SignInWrong,
)
from app.schemas.admin_requests.accounts import (
    InvitationBody,
    InvitationRequest,
    SignInBody,
    SignInRequest,
)
from app.schemas.admin_responses.operators import (
    AcceptedResponse,
    OperatorTokensResponse,
    SignedInResponse,
)
from app.schemas.requests import EmptyBody, EmptyRequest, RefreshBody, RefreshRequest
from app.services.operators import operators, sessions, tokens

blp = Blueprint("admin_sign_in", __name__, url_prefix="/v1/admin", tag=ADMIN_SIGN_IN)


@blp.post("/sign-in")
@no_login
@blp.arguments(SignInRequest)
@blp.response(200, OperatorTokensResponse)
@blp.errors(SignInWrong, *OPERATOR_CODE)
def sign_operator_in(body: SignInBody) -> tokens.OperatorTokens:
    """Sign in.

    Checks e-mail address, password and, if enabled, a one-time code. Returns a JWT that is
    valid for 15 minutes, and a refresh token. Send the JWT as `Authorization: Bearer` to every
    other operation of the admin API.
    """
    return tokens.open_script_session(
        email=body.email, password=body.password, code=body.code, device=this_device()
    )


@blp.post("/refresh")
@no_login
@blp.arguments(RefreshRequest)
@blp.response(200, OperatorTokensResponse)
@blp.errors(RefreshTokenInvalid, RefreshTokenExpired, RefreshTokenReused)
def refresh_operator(body: RefreshBody) -> tokens.OperatorTokens:
    """Get a new JWT with the refresh token.

    Replaces both tokens of the session. Each refresh token works once; reuse ends the session.
    A refresh does not count as step-up.
    """
    return tokens.refresh_operator_tokens(body.refresh_token, this_device())


@blp.post("/sign-out")
@operator_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def sign_operator_out(body: EmptyBody) -> None:
    """Sign out.

    Ends your session. Its JWTs and its refresh token become invalid.
    """
    sessions.end_operator_session(this_operator().session_id)


@blp.get("/me")
@operator_login
@blp.response(200, SignedInResponse)
def show_signed_in() -> sessions.SignedIn:
    """Show the signed-in operator.

    Returns your role, your tenant and the time of the last sign-in or step-up. Scripts use it
    to check a JWT.
    """
    return this_operator()


@blp.post("/invitation")
@no_login
@blp.arguments(InvitationRequest)
@blp.response(200, AcceptedResponse)
@blp.errors(InvitationInvalid, *NEW_PASSWORD)
def accept_invitation(body: InvitationBody) -> dict[str, str]:
    """Accept an invitation.

    Sets the password of an invited operator. The secret comes from a platform admin and works
    once, within three days. Sign in afterwards.
    """
    email = operators.accept_invitation(
        invitation=body.invitation, password=body.password, device=this_device()
    )
    return {"email": email}
