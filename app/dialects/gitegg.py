"""Dialect of GitEgg (Spring Cloud): fields in the query of GETs, tokens from /oauth/token.

The response field `bindKey` and the request field `socialKey` hold an unbound session's token.
"""

from typing import Any

from flask_babel import gettext

from app.auth import (
    bound_login,
    find_bearer_token,
    no_login,
    principal_of,
    this_device,
    this_principal,
    this_tenant_id,
    this_user_id,
)
from app.dialects.envelope import Dialect, load_request
from app.dialects.unbound_tokens import unbound_principal
from app.errors import CredentialsWrong, Failure
from app.languages import field_messages
from app.schemas import gitegg as wire
from app.schemas.tolerant_requests import CodeRequest, OpenDataRequest
from app.services.login import bind_keys, binding, login, password_login
from app.services.principals import Principal
from app.services.sessions import refresh
from app.services.sessions.sessions import Tokens
from app.services.social_accounts import open_data
from app.services.users import users
from app.tenancy import hinted_appid, pick_hinted, take_hint, this_app
from app.wechat import UserInfo


def _success(data: Any) -> dict[str, Any]:
    return {"code": 200, "msg": gettext("Success."), "data": data, "success": True}


def _failure(failure: Failure, message: str) -> dict[str, Any]:
    # On 401 the client opens its login page without a message, even after a wrong password.
    code = 400 if isinstance(failure, CredentialsWrong) else failure.status
    told = {"code": code, "msg": message, "data": None, "success": False}
    return told | ({"errors": field_messages(failure.errors)} if failure.errors else {})


blp = Dialect("gitegg", __name__, _success, _failure)
answer = blp.answer


def _social_principal() -> Principal:
    """Return the principal of the unbound token in `socialKey`."""
    return unbound_principal(load_request(wire.SocialKeyRequest).social_key)


@blp.get("/wx/user/<appid>/login")
@no_login
@answer(wire.BindKeyResponse)
def identify() -> login.Login:
    """Exchange a code and return an unbound token as `bindKey`, even for a known user."""
    return login.log_in_unbound(this_app(), this_device(), code=load_request(CodeRequest).code)


@blp.get("/wx/user/<appid>/info")
@no_login
@answer(wire.UserInfoResponse)
def keep_user_info() -> UserInfo:
    """Verify and store the profile that WeChat signed or encrypted, and return it."""
    principal, body = _social_principal(), load_request(wire.UserInfoRequest)
    return open_data.keep_open_profile(
        this_app(),
        principal,
        raw_data=body.raw_data,
        signature=body.signature,
        encrypted_data=body.encrypted_data,
        iv=body.iv,
    )


@blp.get("/wx/user/<appid>/phone")
@no_login
@answer(wire.UserResponse)
def bind_phone() -> users.Profile:
    """Bind the identity to the user with the phone number. Register a user if there is none."""
    principal, body = _social_principal(), load_request(OpenDataRequest)
    proof = open_data.PhoneProof(encrypted_data=body.encrypted_data, iv=body.iv)
    return binding.link_phone(this_app(), principal, this_device(), proof)


@blp.get("/wx/user/<appid>/bind")
@bound_login
@answer(None)
def bind_identity() -> None:
    """Bind the WeChat identity of a bindKey to the logged-in user."""
    binding.bind_identity(this_app(), this_user_id(), _social_principal(), this_device())


@blp.get("/wx/user/<appid>/unbind")
@bound_login
@answer(None)
def unbind() -> None:
    """Unbind all WeChat identities in this app from the logged-in user."""
    binding.unlink_everywhere(this_app(), this_principal(), this_device())


@blp.post("/oauth/token", needs_app=False)
@no_login
@answer(wire.TokenResponse)
def give_token() -> Tokens:
    """Issue tokens for a bindKey, a refresh token, or account and password."""
    body = load_request(wire.TokenRequest)
    take_hint(body.appid)
    return GRANTS[body.grant_type](body)


def _by_social_key(body: wire.TokenBody) -> Tokens:
    return bind_keys.trade_bind_key(principal_of(body.social_key), this_device()).tokens


def _by_refresh_token(body: wire.TokenBody) -> Tokens:
    return refresh.refresh_login(body.refresh_token, this_device(), hinted_appid())


def _by_password(body: wire.TokenBody) -> Tokens:
    app = pick_hinted()
    return password_login.log_in_with_password(
        app, this_device(), account=body.username, password=body.password
    ).tokens


GRANTS = {
    "social": _by_social_key,
    "refresh_token": _by_refresh_token,
    "password": _by_password,
}


@blp.post("/oauth/logout", needs_app=False)
@no_login
@answer(None)
def log_out() -> None:
    """End the session of the login token or refresh token, even if the token has expired."""
    shown = find_bearer_token(), load_request(wire.LogoutRequest).refresh_token
    refresh.log_out(*shown, hinted_appid())


@blp.get("/system/account/user/info", needs_app=False)
@bound_login
@answer(wire.UserResponse)
def show_user() -> users.Profile:
    """Return the profile of the logged-in user."""
    return users.show_user(this_tenant_id(), this_user_id())
