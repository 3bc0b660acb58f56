"""Views of login to a mini-program: /v1/apps/{appid}/..."""

from app.api.blueprint import Blueprint
from app.auth import any_login, any_login_to_end, bound_login, no_login, this_device, this_principal
from app.schemas.requests import (
    CredentialsBody,
    CredentialsRequest,
    EmptyBody,
    EmptyRequest,
    LoginBody,
    LoginRequest,
    PhoneBody,
    PhoneRequest,
    ProfileBody,
    ProfileRequest,
    RefreshBody,
    RefreshRequest,
)
from app.schemas.responses import LoginResponse, ProfileResponse, TokensResponse
from app.services.login import binding, login, password_login
from app.services.sessions import own_sessions, refresh, sessions
from app.services.social_accounts import open_data, profiles
from app.tenancy import this_app

blp = Blueprint("apps", __name__, url_prefix="/v1/apps/<string:appid>")


@blp.post("/login")
@no_login
@blp.arguments(LoginRequest)
@blp.response(200, LoginResponse)
def log_in(body: LoginBody) -> login.Login:
    """Log a person in with the code of wx.login."""
    return login.log_in(
        this_app(), this_device(), code=body.code, account=body.account, password=body.password
    )


@blp.post("/password-login")
@no_login
@blp.arguments(CredentialsRequest)
@blp.response(200, LoginResponse)
def log_in_with_password(body: CredentialsBody) -> login.Login:
    """Log a user in with account and password, without a WeChat identity."""
    return password_login.log_in_with_password(
        this_app(), this_device(), account=body.account, password=body.password
    )


@blp.post("/profile")
@any_login
@blp.arguments(ProfileRequest)
@blp.response(200, ProfileResponse)
def keep_profile(body: ProfileBody) -> profiles.AccountProfile:
    """Store the nickname and avatar of the logged-in person."""
    given = open_data.ProfileInput(
        raw_data=body.raw_data,
        signature=body.signature,
        encrypted_data=body.encrypted_data,
        iv=body.iv,
        nickname=body.nickname,
        avatar_url=body.avatar_url,
    )
    return open_data.keep_profile(this_app(), this_principal(), given)


@blp.post("/phone")
@any_login
@blp.arguments(PhoneRequest)
@blp.response(200, LoginResponse)
def bind_phone(body: PhoneBody) -> login.Login:
    """Verify a phone number and bind the WeChat identity to the user with this number."""
    proof = open_data.PhoneProof(code=body.code, encrypted_data=body.encrypted_data, iv=body.iv)
    return binding.bind_phone(this_app(), this_principal(), this_device(), proof)


@blp.post("/bind")
@any_login
@blp.arguments(CredentialsRequest)
@blp.response(200, LoginResponse)
def bind_account(body: CredentialsBody) -> login.Login:
    """Bind the WeChat identity of the session to the user with this account and password."""
    return binding.bind_account(
        this_app(),
        this_principal(),
        this_device(),
        account=body.account,
        password=body.password,
    )


@blp.post("/unbind")
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, LoginResponse)
def unbind(body: EmptyBody) -> login.Login:
    """Unbind this app's WeChat identity from the logged-in user."""
    return binding.unbind(this_app(), this_principal(), this_device())


@blp.post("/refresh")
@no_login
@blp.arguments(RefreshRequest)
@blp.response(200, TokensResponse)
def refresh_login(body: RefreshBody) -> sessions.Tokens:
    """Exchange a refresh token for new tokens. The old refresh token stops working."""
    return refresh.refresh_login(body.refresh_token, this_device(), this_app().appid)


@blp.post("/logout")
@any_login_to_end
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def log_out(body: EmptyBody) -> None:
    """End this login session."""
    sessions.end_session(this_principal())


@blp.post("/logout-all")
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def log_out_everywhere(body: EmptyBody) -> None:
    """End every login session of the logged-in user, in all apps of the tenant."""
    own_sessions.end_all_sessions(this_principal(), this_device())
