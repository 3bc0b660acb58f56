"""Routes of the operator's own account: /v1/admin/step-up and /v1/admin/me/..."""

from collections.abc import Sequence
from uuid import UUID

from app.admin.api.access import operator_login, step_up_required, this_operator
from app.admin.api.blueprint import Blueprint
from app.api.openapi.errors import NEW_PASSWORD, OPERATOR_CODE
from app.api.openapi.tags import ADMIN_ACCOUNT
from app.auth import this_device
from app.errors import (
    EnrolmentNotBegun,
    OneTimeCodeNeeded,
    OneTimeCodesOff,
    OneTimeCodesOn,
    OneTimeCodeWrong,
    OperatorSessionUnknown,
    PasswordWrong,
    TooManyTries,
)
from app.schemas.admin_requests.accounts import (
    CodeBody,
    CodeRemovalBody,
    CodeRemovalRequest,
    CodeRequest,
    OwnPasswordBody,
    OwnPasswordRequest,
    StepUpBody,
    StepUpRequest,
)
from app.schemas.admin_responses.operators import (
    EnrolmentResponse,
    OwnSessionListResponse,
    RecoveryCodesResponse,
)
from app.schemas.admin_responses.users import EndedResponse
from app.schemas.requests import EmptyBody, EmptyRequest
from app.services.operators import one_time_codes, own_account, recovery_codes, step_up
from app.services.operators.own_account import OwnSession

blp = Blueprint("admin_account", __name__, url_prefix="/v1/admin", tag=ADMIN_ACCOUNT)


@blp.post("/step-up")
@operator_login
@blp.arguments(StepUpRequest)
@blp.response(204)
@blp.errors(PasswordWrong, *OPERATOR_CODE)
def prove_again(body: StepUpBody) -> None:
    """Confirm your password.

    Confirms password and one-time code, which is called step-up. Sensitive requests of this
    session are then accepted for 5 minutes. A sign-in has the same effect, a token refresh does
    not.
    """
    step_up.step_up(this_operator(), body.password, body.code, this_device())


@blp.post("/me/password")
@operator_login
@step_up_required
@blp.arguments(OwnPasswordRequest)
@blp.response(204)
@blp.errors(*NEW_PASSWORD)
def change_own_password(body: OwnPasswordBody) -> None:
    """Change your password.

    Sets a new password of at least 12 characters. Your other sessions end.
    """
    own_account.change_own_password(this_operator(), body.new_password)


@blp.get("/me/sessions")
@operator_login
@blp.response(200, OwnSessionListResponse)
def list_own_sessions() -> dict[str, Sequence[OwnSession]]:
    """List your sessions.

    Returns your active sessions in the console and the admin API, most recently used first, at
    most 100.
    """
    return {"items": own_account.list_own_sessions(this_operator())}


@blp.delete("/me/sessions")
@operator_login
@blp.response(200, EndedResponse)
def end_other_own_sessions() -> dict[str, int]:
    """End your other sessions.

    Ends every session of yours except the one that sends this request. Returns their number.
    """
    return {"ended": own_account.end_other_own_sessions(this_operator())}


@blp.delete("/me/sessions/<uuid:session_id>")
@operator_login
@blp.response(204)
@blp.errors(OperatorSessionUnknown)
def end_own_session(session_id: UUID) -> None:
    """End one of your sessions.

    Ends an active session, for example on another computer. The id is in the list of your
    sessions.
    """
    own_account.end_own_session(this_operator(), session_id)


@blp.post("/me/one-time-codes")
@operator_login
@step_up_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, EnrolmentResponse)
@blp.errors(OneTimeCodesOn)
def begin_enrolment(body: EmptyBody) -> one_time_codes.Enrolment:
    """Begin the setup of one-time codes.

    Returns a secret for an authenticator app. One-time codes are not enabled until you confirm
    the setup with a code. Repeated requests return the same secret until the setup is confirmed
    or cancelled.
    """
    return one_time_codes.begin_enrolment(this_operator())


@blp.post("/me/one-time-codes/confirmation")
@operator_login
@step_up_required
@blp.arguments(CodeRequest)
@blp.response(200, RecoveryCodesResponse)
@blp.errors(EnrolmentNotBegun, OneTimeCodesOn, OneTimeCodeWrong, TooManyTries)
def confirm_enrolment(body: CodeBody) -> dict[str, Sequence[str]]:
    """Confirm the setup of one-time codes.

    Enables one-time codes for your sign-in and returns ten recovery codes, which are shown only
    once. Your other sessions end.
    """
    codes = one_time_codes.confirm_enrolment(this_operator(), body.code)
    return {"recovery_codes": codes}


@blp.delete("/me/one-time-codes")
@operator_login
@step_up_required
@blp.arguments(CodeRemovalRequest, required=False)
@blp.response(204)
@blp.errors(OneTimeCodeNeeded, OneTimeCodeWrong, OneTimeCodesOff, TooManyTries)
def remove_own_codes(body: CodeRemovalBody) -> None:
    """Disable one-time codes.

    Disables one-time codes, or cancels a pending setup if they are not enabled. Disabling
    requires a one-time code or recovery code, and ends your other sessions.
    """
    one_time_codes.cancel_or_remove_codes(this_operator(), body.code)


@blp.post("/me/recovery-codes")
@operator_login
@step_up_required
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, RecoveryCodesResponse)
@blp.errors(OneTimeCodesOff)
def renew_recovery_codes(body: EmptyBody) -> dict[str, Sequence[str]]:
    """Replace your recovery codes.

    Returns ten new recovery codes, which are shown only once. The old codes stop working.
    """
    return {"recovery_codes": recovery_codes.renew_recovery_codes(this_operator())}
