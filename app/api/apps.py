"""Logging in to a mini-program: /v1/apps/{appid}/..."""

from typing import Any

from app.api.blueprint import Blueprint
from app.auth import any_login, any_login_to_end, bound_login, no_login, this_device, this_principal
from app.schemas.requests import (
    CredentialsRequest,
    EmptyRequest,
    LoginRequest,
    PhoneRequest,
    ProfileRequest,
    RefreshRequest,
)
from app.schemas.responses import LoginResponse, ProfileResponse, TokensResponse
from app.services.login import binding, login
from app.services.sessions import own_sessions, refresh, sessions
from app.services.social_accounts import open_data, profiles
from app.tenancy import this_app

blp = Blueprint("apps", __name__, url_prefix="/v1/apps/<string:appid>")


@blp.post("/login")
@no_login
@blp.arguments(LoginRequest)
@blp.response(200, LoginResponse)
def log_in(body: dict[str, Any]) -> login.Login:
    """Log a person in with the code of wx.login."""
    return login.log_in(this_app(), this_device(), **body)


@blp.post("/password-login")
@no_login
@blp.arguments(CredentialsRequest)
@blp.response(200, LoginResponse)
def log_in_with_password(body: dict[str, Any]) -> login.Login:
    """Log a user in with account and password, without a WeChat identity."""
    return login.log_in_with_password(this_app(), this_device(), **body)


@blp.post("/profile")
@any_login
@blp.arguments(ProfileRequest)
@blp.response(200, ProfileResponse)
def keep_profile(body: dict[str, Any]) -> profiles.KeptProfile:
    """Keep the nickname and avatar of the logged-in person."""
    return open_data.keep_profile(this_app(), this_principal(), **body)


@blp.post("/phone")
@any_login
@blp.arguments(PhoneRequest)
@blp.response(200, LoginResponse)
def bind_phone(body: dict[str, Any]) -> login.Login:
    """Verify the person's phone number and bind them to the user it belongs to."""
    return binding.bind_phone(this_app(), this_principal(), this_device(), **body)


@blp.post("/bind")
@any_login
@blp.arguments(CredentialsRequest)
@blp.response(200, LoginResponse)
def bind_account(body: dict[str, Any]) -> login.Login:
    """Bind the person's WeChat identity to the user of an account."""
    return binding.bind_account(this_app(), this_principal(), this_device(), **body)


@blp.post("/unbind")
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, LoginResponse)
def unbind(body: dict[str, Any]) -> login.Login:
    """Free this app's WeChat identity of the logged-in user."""
    return binding.unbind(this_app(), this_principal(), this_device())


@blp.post("/refresh")
@no_login
@blp.arguments(RefreshRequest)
@blp.response(200, TokensResponse)
def refresh_login(body: dict[str, Any]) -> sessions.Tokens:
    """Trade a refresh token for new tokens; the old one is used up."""
    return refresh.refresh_login(body["refresh_token"], this_device(), this_app().appid)


@blp.post("/logout")
@any_login_to_end
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def log_out(body: dict[str, Any]) -> None:
    """End this login session."""
    sessions.end_session(this_principal())


@blp.post("/logout-all")
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def log_out_everywhere(body: dict[str, Any]) -> None:
    """End every login session of the logged-in user, in all apps of the tenant."""
    own_sessions.end_all_sessions(this_principal(), this_device())
