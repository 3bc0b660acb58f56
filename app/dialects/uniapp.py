"""uni-app pages: openid, decrypt, login. Their `sessionKey` is the token of an unbound session."""

from functools import partial
from typing import Any

from flask_babel import gettext

from app.auth import no_login, this_device
from app.dialects.envelope import Dialect, answering, failing, refuse_head, said
from app.dialects.handles import unbound_caller
from app.errors import Failure, LoginUnbound, OpenDataOfAnother, RequestInvalid
from app.schemas import uniapp as wire
from app.schemas.lenient import CodeRequest
from app.schemas.people import LoginResponse
from app.services import binding, login, open_data, social_accounts, users
from app.services.phone_numbers import PhoneNumber, phone_number
from app.services.sessions import Caller
from app.tenancy import this_app

blp = Dialect("uniapp", __name__)


def _success(said_back: Any) -> dict[str, Any]:
    return {"success": True, "message": gettext("Done."), **said_back}


def _failure(failure: Failure, message: str) -> dict[str, Any]:
    return {"success": False, "code": failure.status, "message": message, "data": None}


failing(blp, _failure)
refuse_head(blp)
answer = partial(answering, _success)


@blp.post("/uni/openid")
@no_login
@answer(wire.HandleResponse)
def identify() -> login.BindKey:
    """Identify a person by code and give the handle for the steps that follow."""
    return login.open_bind_key(this_app(), this_device(), **said(CodeRequest))


@blp.post("/uni/decrypt")
@no_login
@answer(wire.PhoneResponse)
def decrypt_phone() -> PhoneNumber:
    """Decrypt the phone number, and bind the person to the user it belongs to."""
    body = said(wire.DecryptRequest)
    return _settled(unbound_caller(body["session_key"]), body)


def _settled(caller: Caller, body: dict[str, str]) -> PhoneNumber:
    if body.get("appid", this_app().appid) != this_app().appid:
        raise RequestInvalid(errors={"appId": ["Not the app that this request is for."]})
    data = body["encrypted_data"], body["iv"]
    number = open_data.phone_of_data(this_app(), caller, *data)
    binding.settle_phone(this_app(), caller, this_device(), number)
    return number


@blp.post("/uni/login")
@no_login
@answer(LoginResponse)
def log_in() -> login.Login:
    """Log in whose openid and phone were verified under the handle."""
    return login.trade_bind_key(_proven_caller(**said(wire.LoginRequest)), this_device())


def _proven_caller(session_key: str, openid: str, phone: str) -> Caller:
    """Find whose handle it is; raise OpenDataOfAnother unless openid and phone are theirs."""
    caller = unbound_caller(session_key)
    account = social_accounts.get_social_account(caller)
    if openid != account.openid:
        raise OpenDataOfAnother
    if account.user_id is None:
        raise LoginUnbound
    verified = users.show_user(caller.tenant_id, account.user_id).phone
    if verified is None or phone not in _spellings(phone_number(verified)):
        raise OpenDataOfAnother
    return caller


def _spellings(number: PhoneNumber) -> set[str]:
    return {number.e164, number.e164[1:], number.e164.removeprefix(f"+{number.country_code}")}
