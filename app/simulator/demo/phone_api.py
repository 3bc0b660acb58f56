"""What the `wx` object of the demo phone calls: WeChat's functions, and requests to the service."""

from typing import Any

from flask import Response, request

from app.simulator.control.input import ControlRefusal, Fields, read_body
from app.simulator.control.registry import control_blueprint, control_call, get_app, get_person
from app.simulator.demo.masking import mask_phone
from app.simulator.demo.service import PhoneRequest, Reply
from app.simulator.demo.state import current_demo
from app.simulator.phone import Press, log_in, press_phone, press_user_info
from app.simulator.session_keys import Owner
from app.simulator.world import World

demo_phone_api = control_blueprint("demo_phone_api", "/demo")

PHONES = frozenset({"left", "right"})
_CALL = ("phone", "person", "appid")


@control_call(demo_phone_api, "POST", "/api/wx/login")
def login(world: World) -> dict[str, Any]:
    """Return a code of wx.login."""
    fields = read_body(*_CALL)
    code = log_in(world, get_person(world, fields), get_app(world, fields))
    return _recorded("wx.login", fields, {"code": code})


@control_call(demo_phone_api, "POST", "/api/wx/phone")
def phone(world: World) -> dict[str, Any]:
    """Return what the phone button gives: a code in new versions, encrypted data in old ones.

    With `stale`, the data is encrypted with the previous session_key.
    """
    fields = read_body(*_CALL, "old", "stale")
    person, app = get_person(world, fields), get_app(world, fields)
    number = person.phone or ""
    given = press_phone(world, person, number, app, Press(stale=fields.flag("stale")))
    names = ("encryptedData", "iv") if fields.flag("old") else ("code",)
    return _recorded("getPhoneNumber", fields, {name: given[name] for name in names})


@control_call(demo_phone_api, "POST", "/api/wx/user-info")
def user_info(world: World) -> dict[str, Any]:
    """Return what the user-info button of old versions gives."""
    fields = read_body(*_CALL)
    given = press_user_info(world, get_person(world, fields), get_app(world, fields), Press())
    return _recorded("getUserProfile", fields, given)


@control_call(demo_phone_api, "POST", "/api/wx/check-session")
def check_session(world: World) -> dict[str, Any]:
    """Return whether the session_key of the person is still valid."""
    fields = read_body(*_CALL)
    owner = Owner(get_person(world, fields).name, get_app(world, fields).appid)
    is_valid = world.session_keys.find(owner, world.now()) is not None
    return _recorded("wx.checkSession", fields, {"valid": is_valid})


@control_call(demo_phone_api, "POST", "/api/wx/refused")
def refuse(world: World) -> dict[str, Any]:
    """Record that a person declined a dialog of WeChat. Nothing leaves the phone."""
    fields = read_body(*_CALL, "message")
    return _recorded("getPhoneNumber", fields, {"errmsg": fields.text("message")})


@control_call(demo_phone_api, "GET", "/api/people")
def list_people(world: World) -> dict[str, Any]:
    """List the people with a phone, with masked numbers."""
    people = [
        {"name": one.name, "nickname": one.nickname, "phone": mask_phone(one.phone)}
        for one in world.people.values()
        if one.phone
    ]
    return {"people": people}


@demo_phone_api.route("/service/<path:path>", methods=["GET", "POST", "DELETE"])
def forward(path: str) -> Response:
    """Pass a request of a phone on to the service, and its response back."""
    sent = PhoneRequest(
        phone=request.headers.get("X-Demo-Phone", ""),
        method=request.method,
        path=f"/{path}",
        query=request.query_string.decode("ascii", "replace"),
        headers=dict(request.headers.items()),
        body=request.get_data(),
    )
    reply = _forwarded(sent)
    return Response(reply.body, reply.status or 504, headers=reply.headers)


def _forwarded(sent: PhoneRequest) -> Reply:
    if sent.phone not in PHONES or not sent.is_allowed:
        raise ControlRefusal(404, "The demo phone does not call this.", "演示手机不调用此地址。")
    return current_demo().service.forward(sent)


def _recorded(kind: str, fields: Fields, answer: dict[str, Any]) -> dict[str, Any]:
    """Record a call of the phone to WeChat, and return its answer."""
    asked = {"person": fields.text("person"), "appid": fields.text("appid")}
    traffic, phone = current_demo().traffic, fields.choice("phone", PHONES)
    traffic.end(traffic.begin("phone", "wechat", kind, asked, phone), 200, answer, {})
    return answer
