"""Dialect of litemall (Spring Boot) and its forks: JSON below /wx, with errno and errmsg."""

from typing import Any

from flask_babel import gettext

from app.auth import (
    any_login,
    any_login_to_end,
    bearer_token,
    bound_login,
    no_login,
    this_device,
    this_principal,
    this_tenant_id,
    this_user_id,
)
from app.dialects.envelope import Dialect, load_request
from app.errors import (
    CredentialsWrong,
    Failure,
    LoginUnbound,
    NoSocialAccount,
    PhoneCountryMissing,
    PhoneInvalid,
    PhoneNumberMissing,
    PhoneTaken,
    RequestInvalid,
    SocialAccountTaken,
    TokenOfAnotherApp,
    WeChatUnavailable,
)
from app.schemas import litemall as wire
from app.schemas.tolerant_requests import EitherPhoneRequest
from app.services.login import binding, login, password_login
from app.services.sessions import sessions
from app.services.social_accounts import open_data
from app.services.users import users
from app.tenancy import this_app

# The errno values of the original. Only 501 makes a client discard its token and log in again.
ERRNO_OF: dict[type[Failure], int] = {
    RequestInvalid: 401,
    TokenOfAnotherApp: 501,
    WeChatUnavailable: -1,
    CredentialsWrong: 700,
    PhoneTaken: 705,
    LoginUnbound: 706,
    PhoneInvalid: 707,
    PhoneNumberMissing: 707,
    PhoneCountryMissing: 707,
    NoSocialAccount: 708,
    SocialAccountTaken: 709,
}
ERRNO_OF_STATUS = {
    400: 402,
    401: 501,
    403: 506,
    404: 402,
    405: 503,
    409: 505,
    413: 401,
    415: 401,
    422: 402,
    429: 702,
    500: 502,
    502: 502,
}


def _success(data: Any) -> dict[str, Any]:
    return {"errno": 0, "errmsg": gettext("Success"), "data": data}


def _failure(failure: Failure, message: str) -> dict[str, Any]:
    errno = ERRNO_OF.get(type(failure), ERRNO_OF_STATUS.get(failure.status, -1))
    return {"errno": errno, "errmsg": message}


blp = Dialect("litemall", __name__, _success, _failure)
answer = blp.answer


@blp.post("/wx/auth/login_by_weixin")
@no_login
@answer(wire.LoginResponse)
def log_in_by_weixin() -> login.Login:
    """Log a person in by code. The first login stores the profile that the client sent."""
    body = load_request(wire.WeixinRequest)
    return login.log_in_with_profile(
        this_app(),
        this_device(),
        code=body.code,
        nickname=body.user_info.nickname,
        avatar_url=body.user_info.avatar_url,
    )


@blp.post("/wx/auth/bindPhone")
@any_login
@answer(wire.PhoneResponse)
def bind_phone() -> login.Login:
    """Verify a phone number and bind the session to the user with it. Keep the login token."""
    body = load_request(EitherPhoneRequest)
    proof = open_data.PhoneProof(code=body.code, encrypted_data=body.encrypted_data, iv=body.iv)
    return binding.bind_phone(
        this_app(), this_principal(), this_device(), proof, kept_token=bearer_token()
    )


@blp.post("/wx/auth/login")
@no_login
@answer(wire.LoginResponse)
def log_in_with_password() -> login.Login:
    """Log a user in with account and password."""
    body = load_request(wire.PasswordRequest)
    return password_login.log_in_with_password(
        this_app(), this_device(), account=body.account, password=body.password
    )


@blp.post("/wx/auth/profile")
@bound_login
@answer(wire.UserInfoResponse)
def change_profile() -> users.Profile:
    """Change the logged-in user's nickname, avatar or gender."""
    body = load_request(wire.ProfileRequest)
    return users.change_user(
        this_tenant_id(),
        this_user_id(),
        nickname=body.nickname,
        avatar_url=body.avatar_url,
        gender=body.gender,
    )


@blp.get("/wx/auth/info")
@blp.get("/wx/user/index", endpoint="index")
@bound_login
@answer(wire.WhoAmIResponse)
def show_user() -> users.Profile:
    """Return the profile of the logged-in user."""
    return users.show_user(this_tenant_id(), this_user_id())


@blp.post("/wx/auth/logout")
@any_login_to_end
@answer(None)
def log_out() -> None:
    """End the session of the login token, even if the token has expired."""
    sessions.end_session(this_principal())
