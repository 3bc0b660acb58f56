"""Control API for phones: apps, people, and the actions of people in WeChat."""

import re
from dataclasses import asdict, replace
from typing import Any

from app.simulator.checks import ip_matches
from app.simulator.control.input import ControlRefusal, Fields, read_body, read_query
from app.simulator.control.registry import control_blueprint, control_call, get_app, get_person
from app.simulator.phone import Press, log_in, press_phone, press_user_info
from app.simulator.session_keys import Owner
from app.simulator.world import App, Person, World

phone_api = control_blueprint("phone_api")

_PUSH = ("push_url", "push_token", "encoding_aes_key")
_PRESS = ("person", "appid", "stale", "watermark_appid", "age", "country_code_as_int")


@control_call(phone_api, "POST", "/apps")
def put_app(world: World) -> dict[str, str]:
    """Add or replace an app. Its secrets are not returned."""
    fields = read_body("appid", "secret", "open_platform", "frozen", "ip_whitelist", *_PUSH)
    app = App(
        appid=fields.text("appid"),
        secret=fields.text("secret"),
        open_platform=fields.text_or_none("open_platform"),
        frozen=fields.flag("frozen"),
        ip_whitelist=_ip_whitelist(fields),
        push_url=fields.text_or_none("push_url"),
        push_token=fields.text_or_none("push_token"),
        encoding_aes_key=_encoding_aes_key(fields),
    )
    world.apps[app.appid] = app
    return {"appid": app.appid}


@control_call(phone_api, "POST", "/app-secret")
def reset_app_secret(world: World) -> dict[str, str]:
    """Reset an app's secret, as in WeChat's console. The old one becomes invalid immediately."""
    fields = read_body("appid", "secret")
    app = replace(get_app(world, fields), secret=fields.text("secret"), frozen=False)
    world.apps[app.appid] = app
    return {"appid": app.appid}


@control_call(phone_api, "POST", "/people")
def put_person(world: World) -> dict[str, Any]:
    """Add a person, or update the fields that are given."""
    fields = read_body("name", "phone", "country_code", "nickname", "avatar_url", "gender")
    name = fields.text("name")
    known = world.people.get(name, Person(name=name, nickname=name))
    gender = fields.integer_or_none("gender")
    person = Person(
        name=name,
        nickname=fields.text_or_none("nickname") or known.nickname,
        phone=fields.digits_or_none("phone") or known.phone,
        country_code=fields.digits_or_none("country_code") or known.country_code,
        avatar_url=fields.text_or_none("avatar_url") or known.avatar_url,
        gender=known.gender if gender is None else gender,
    )
    world.people[name] = person
    return asdict(person)


@control_call(phone_api, "POST", "/login")
def login(world: World) -> dict[str, str]:
    """Call wx.login in an app as a person."""
    fields = read_body("person", "appid")
    return {"code": log_in(world, get_person(world, fields), get_app(world, fields))}


@control_call(phone_api, "POST", "/user-info")
def user_info(world: World) -> dict[str, str]:
    """Press the user-info button of an app as a person."""
    fields = read_body(*_PRESS)
    person, app = get_person(world, fields), get_app(world, fields)
    return press_user_info(world, person, app, _press(fields))


@control_call(phone_api, "POST", "/phone")
def phone(world: World) -> dict[str, str]:
    """Press the phone number button of an app as a person."""
    fields = read_body(*_PRESS)
    person, app = get_person(world, fields), get_app(world, fields)
    if person.phone is None:
        raise ControlRefusal(
            400,
            f"{person.name} has no phone number. Add one: POST /_simulator/people with phone.",
            f"{person.name} 没有手机号。请添加：POST /_simulator/people，带上 phone。",
        )
    return press_phone(world, person, person.phone, app, _press(fields))


@control_call(phone_api, "POST", "/session-key")
def mint_session_key(world: World) -> dict[str, bool]:
    """Replace the session_key of a person in an app by a new one, as data pre-fetch may."""
    world.session_keys.mint(_owner(world, read_body("person", "appid")), world.now())
    return {"minted": True}


@control_call(phone_api, "GET", "/session-key")
def show_session_key(world: World) -> dict[str, str]:
    """Return the valid session_key, for tests that search output for it."""
    key = world.session_keys.find(_owner(world, read_query()), world.now())
    if key is None:
        raise ControlRefusal(
            404,
            "No valid session_key yet. Log in first: POST /_simulator/login.",
            "还没有有效的 session_key。请先登录：POST /_simulator/login。",
        )
    return {"session_key": key.value}


def _owner(world: World, fields: Fields) -> Owner:
    return Owner(get_person(world, fields).name, get_app(world, fields).appid)


def _press(fields: Fields) -> Press:
    return Press(
        stale=fields.flag("stale"),
        watermark_appid=fields.text_or_none("watermark_appid"),
        age=fields.number("age", default=0.0),
        country_code_as_int=fields.flag("country_code_as_int"),
    )


def _encoding_aes_key(fields: Fields) -> str | None:
    key = fields.text_or_none("encoding_aes_key")
    if key is not None and not re.fullmatch("[A-Za-z0-9]{43}", key):
        raise ControlRefusal(
            400,
            "Give encoding_aes_key as 43 letters and digits.",
            "请将 encoding_aes_key 设为 43 个字母和数字。",
        )
    return key


def _ip_whitelist(fields: Fields) -> tuple[str, ...]:
    entries = fields.texts("ip_whitelist")
    for entry in entries:
        try:
            ip_matches("127.0.0.1", entry)
        except ValueError:
            raise ControlRefusal(
                400,
                f"{entry} is no IP, wildcard (10.0.*) or CIDR (10.0.0.0/8).",
                f"{entry} 不是 IP、通配符（10.0.*）或 CIDR（10.0.0.0/8）。",
            ) from None
    return entries
