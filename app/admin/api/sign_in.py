"""Routes for sign-in, token refresh, sign-out and invitations: /v1/admin/..."""

from app.admin.api.access import operator_login, this_operator
from app.admin.api.blueprint import Blueprint
from app.auth import no_login, this_device
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

blp = Blueprint("admin_sign_in", __name__, url_prefix="/v1/admin")


@blp.post("/sign-in")
@no_login
@blp.arguments(SignInRequest)
@blp.response(200, OperatorTokensResponse)
def sign_operator_in(body: SignInBody) -> tokens.OperatorTokens:
    """Sign in. The response contains a JWT that is valid for 15 minutes, and a refresh token."""
    return tokens.open_script_session(
        email=body.email, password=body.password, code=body.code, device=this_device()
    )


@blp.post("/refresh")
@no_login
@blp.arguments(RefreshRequest)
@blp.response(200, OperatorTokensResponse)
def refresh_operator(body: RefreshBody) -> tokens.OperatorTokens:
    """Exchange a refresh token for new tokens. Reuse of a refresh token ends the session."""
    return tokens.refresh_operator_tokens(body.refresh_token, this_device())


@blp.post("/sign-out")
@operator_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def sign_operator_out(body: EmptyBody) -> None:
    """End your session. JWTs and the refresh token of the session become invalid."""
    sessions.end_operator_session(this_operator().session_id)


@blp.get("/me")
@operator_login
@blp.response(200, SignedInResponse)
def show_signed_in() -> sessions.SignedIn:
    """Show the signed-in operator and the time of the last sign-in or step-up."""
    return this_operator()


@blp.post("/invitation")
@no_login
@blp.arguments(InvitationRequest)
@blp.response(200, AcceptedResponse)
def accept_invitation(body: InvitationBody) -> dict[str, str]:
    """Set the password of an invited operator. An invitation works once."""
    email = operators.accept_invitation(
        invitation=body.invitation, password=body.password, device=this_device()
    )
    return {"email": email}
