"""Actions on a phone: wx.login, the user-info button, the phone number button."""

from dataclasses import dataclass
from typing import Any

from app.simulator.minting import new_login_code, new_phone_code
from app.simulator.open_data import encrypt, phone_info, sign, user_info
from app.simulator.session_keys import Owner
from app.simulator.wechat_json import to_json
from app.simulator.world import App, LoginGrant, Person, PhoneGrant, World


@dataclass(frozen=True)
class Press:
    """Options of a button press. Other values than the defaults simulate attacks or old phones."""

    stale: bool = False
    watermark_appid: str | None = None
    age: float = 0.0
    country_code_as_int: bool = False


def log_in(world: World, person: Person, app: App) -> str:
    """Return a code of wx.login. It fixes the session_key that the exchange will return."""
    now = world.now()
    interval = world.settings.session_key_interval
    key = world.session_keys.at_login(Owner(person.name, app.appid), now, interval)
    code = new_login_code()
    world.login_codes.issue(code, app.appid, LoginGrant(person, key.value), now)
    return code


def press_user_info(world: World, person: Person, app: App, press: Press) -> dict[str, str]:
    """Return the result of wx.getUserInfo: signed raw data, and encrypted data with the openid."""
    key = _session_key(world, person, app, press)
    info, identity = user_info(person), world.identify(person, app)
    raw_data = to_json(info)
    secret_data = {"openId": identity["openid"], **info}
    if "unionid" in identity:
        secret_data["unionId"] = identity["unionid"]
    secret_data["watermark"] = _watermark(world, app, press)
    return {"rawData": raw_data, "signature": sign(raw_data, key), **encrypt(secret_data, key)}


def press_phone(world: World, person: Person, phone: str, app: App, press: Press) -> dict[str, str]:
    """Return the result of the phone number button: a code, and the encrypted number."""
    as_int = press.country_code_as_int
    info: dict[str, Any] = {
        **phone_info(phone, person.country_code, as_int=as_int),
        "watermark": _watermark(world, app, press),
    }
    code = new_phone_code()
    grant = PhoneGrant(world.identify(person, app)["openid"], info)
    world.phone_codes.issue(code, app.appid, grant, world.now())
    return {"code": code, **encrypt(info, _session_key(world, person, app, press))}


def _session_key(world: World, person: Person, app: App, press: Press) -> str:
    owner = Owner(person.name, app.appid)
    if press.stale:
        return world.session_keys.stale(owner)
    return world.session_keys.current_or_new(owner, world.now()).value


def _watermark(world: World, app: App, press: Press) -> dict[str, Any]:
    timestamp = int(world.now() - press.age)
    return {"timestamp": timestamp, "appid": press.watermark_appid or app.appid}
