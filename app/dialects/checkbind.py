"""Dialect of check-bind pages. Their `openId` field holds the token of an unbound session."""

from typing import Any

from flask_babel import gettext

from app.auth import no_login, this_device
from app.dialects.envelope import Dialect, load_request
from app.dialects.unbound_tokens import unbound_principal
from app.errors import Failure
from app.schemas import checkbind as wire
from app.schemas.tolerant_requests import CodeRequest
from app.schemas.user_import import LoginResponse
from app.services.login import binding, login
from app.tenancy import this_app


def _success(fields: Any) -> dict[str, Any]:
    return {"code": 1, "msg": gettext("Success."), **fields}


def _success_if_bound(login_fields: dict[str, Any]) -> dict[str, Any]:
    if login_fields["userInfo"] is not None:
        return _success(login_fields)
    unbound = gettext("This WeChat identity is not bound yet. Log in with account and password.")
    return {"code": 301, "msg": unbound, "openId": login_fields["token"]}


def _failure(failure: Failure, message: str) -> dict[str, Any]:
    return {"code": 0, "msg": message}


blp = Dialect("checkbind", __name__, _success, _failure)
answer = blp.answer


@blp.get("/mobileApi/user/checkBind")
@no_login
@answer(LoginResponse, _success_if_bound)
def check_bind() -> login.Login:
    """Log a person in by code. An unlinked identity gets code 301 and an unbound token."""
    return login.log_in(this_app(), this_device(), code=load_request(CodeRequest).code)


@blp.post("/mobileApi/user/login")
@no_login
@answer(LoginResponse)
def bind_account() -> login.Login:
    """Bind the WeChat identity of an unbound token to the user of an account, and log in."""
    body = load_request(wire.BindRequest)
    return binding.bind_account(
        this_app(),
        unbound_principal(body.handle),
        this_device(),
        account=body.account,
        password=body.password,
    )


@blp.post("/api/login/code2session")
@no_login
@answer(wire.SessionResponse)
def log_in() -> login.Login:
    """Log a person in by code. With account and password, also bind the identity."""
    body = load_request(wire.SessionRequest)
    return login.log_in(
        this_app(), this_device(), code=body.code, account=body.account, password=body.password
    )
