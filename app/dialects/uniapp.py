"""Dialect of uni-app pages. Their `sessionKey` field holds the token of an unbound session."""

from typing import Any

from flask_babel import gettext

from app.auth import no_login, this_device
from app.dialects.envelope import Dialect, load_request
from app.dialects.unbound_tokens import unbound_principal
from app.errors import Failure
from app.schemas import uniapp as wire
from app.schemas.tolerant_requests import CodeRequest
from app.schemas.user_import import LoginResponse
from app.services.login import bind_keys, binding, login
from app.services.principals import Principal
from app.services.social_accounts import open_data
from app.services.users import users
from app.tenancy import take_hint, this_app


def _success(fields: Any) -> dict[str, Any]:
    return {"success": True, "message": gettext("Success."), **fields}


def _failure(failure: Failure, message: str) -> dict[str, Any]:
    return {"success": False, "code": failure.status, "message": message, "data": None}


blp = Dialect("uniapp", __name__, _success, _failure)
answer = blp.answer


@blp.post("/uni/openid")
@no_login
@answer(wire.HandleResponse)
def identify() -> login.Login:
    """Exchange a code and return an unbound token, even for a known user."""
    return login.log_in_unbound(this_app(), this_device(), code=load_request(CodeRequest).code)


@blp.post("/uni/decrypt")
@no_login
@answer(wire.PhoneResponse)
def decrypt_phone() -> users.Profile:
    """Decrypt a phone number and bind the WeChat identity to the user with this number."""
    body = load_request(wire.DecryptRequest)
    principal = _principal_of(body.session_key, body.appid)
    return binding.link_phone(
        this_app(),
        principal,
        this_device(),
        open_data.PhoneProof(encrypted_data=body.encrypted_data, iv=body.iv),
    )


@blp.post("/uni/login")
@no_login
@answer(LoginResponse)
def log_in() -> login.Login:
    """Exchange the token of a bound identity for a login. `openid` and `phone` must match."""
    body = load_request(wire.LoginRequest)
    principal = _principal_of(body.session_key)
    return bind_keys.trade_verified_bind_key(
        principal, this_device(), openid=body.openid, phone=body.phone
    )


def _principal_of(token: str, appid: str | None = None) -> Principal:
    """Return the principal of an unbound token. `appid` is the app that the client sent."""
    take_hint(appid)
    return unbound_principal(token)
