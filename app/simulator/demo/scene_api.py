"""What the scenes of the demo change: people, time, faults, secrets, the console, and consent."""

import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import request

from app.simulator.control.input import ControlRefusal, Fields, read_body
from app.simulator.control.registry import (
    control_blueprint,
    control_call,
    deferred_control_call,
    get_app,
    get_person,
)
from app.simulator.demo.operator import OperatorRefused
from app.simulator.demo.state import current_demo
from app.simulator.faults import Fault
from app.simulator.minting import original_id_of, sender_of
from app.simulator.pushes.sender import send_until_answered
from app.simulator.pushes.wire import Manner, write_delivery
from app.simulator.session_keys import Owner
from app.simulator.world import App, Person, World
from config.development.demo import TENANTS

scene_api = control_blueprint("scene_api", "/demo/api")

Run = Callable[[], dict[str, Any]]

WRONG_SECRET = "0" * 32
_NAMES = ("Mia", "Leo", "Nina", "Tom", "Lin", "Wei", "Ming", "Fang")
# RevokeInfo in WeChat's compliance events.
_CONSENTS = {"phone": "8", "profile": "6"}
_AGING_SECONDS = 60
_FAULTS = frozenset({"slow", "busy"})
_TENANTS = {app.appid: tenant.slug for tenant in TENANTS for app in tenant.apps}
_SECRETS = {app.appid: app.secret for tenant in TENANTS for app in tenant.apps}


@control_call(scene_api, "GET", "/traffic")
def list_traffic(world: World) -> dict[str, Any]:
    """List the exchanges that changed after the revision `after`."""
    return current_demo().traffic.since(request.args.get("after", 0, int))


@control_call(scene_api, "GET", "/tenants")
def list_tenants(world: World) -> dict[str, Any]:
    """List the demo tenants with their apps and users, and the address of the service."""
    tenants = [
        {
            "slug": one.slug,
            "name": one.name,
            "apps": [{"appid": app.appid, "name": app.name} for app in one.apps],
            "users": [{"account": user.account, "password": user.password} for user in one.users],
        }
        for one in TENANTS
    ]
    return {"tenants": tenants, "service": current_demo().service.url}


@control_call(scene_api, "POST", "/people")
def add_guest(world: World) -> dict[str, Any]:
    """Add a person who is unknown to the tenants."""
    read_body()
    number = secrets.randbelow(9000) + 1000
    name = f"{secrets.choice(_NAMES)}-{number}"
    phone = f"139{secrets.randbelow(10**8):08}"
    world.people[name] = Person(name=name, nickname=name, phone=phone)
    return {"name": name}


@control_call(scene_api, "POST", "/faults")
def add_fault(world: World) -> dict[str, Any]:
    """Make WeChat slow or busy for the next login of an app."""
    fields = read_body("appid", "kind", "seconds")
    kind, seconds = fields.choice("kind", _FAULTS), min(fields.number("seconds", 0.0), 8.0)
    appid = get_app(world, fields).appid
    world.faults.add(Fault(kind, "/sns/jscode2session", appid, times=1, seconds=seconds))
    return {}


@control_call(scene_api, "POST", "/secret")
def set_secret(world: World) -> dict[str, Any]:
    """Reset the AppSecret at WeChat to another one, or back to the one that the service has."""
    fields = read_body("appid", "right")
    app = get_app(world, fields)
    secret = _SECRETS.get(app.appid, app.secret) if fields.flag("right") else WRONG_SECRET
    world.apps[app.appid] = replace(app, secret=secret)
    return {}


@control_call(scene_api, "POST", "/tidy")
def tidy(world: World) -> dict[str, Any]:
    """Undo what an interrupted scene has left: remove the faults, restore the AppSecrets."""
    read_body()
    world.faults.clear()
    for appid, secret in _SECRETS.items():
        if appid in world.apps:
            world.apps[appid] = replace(world.apps[appid], secret=secret)
    return {}


@control_call(scene_api, "POST", "/session-key")
def mint_session_key(world: World) -> dict[str, Any]:
    """Replace a session_key without the service's knowledge, as data pre-fetch may."""
    fields = read_body("person", "appid")
    owner = Owner(get_person(world, fields).name, get_app(world, fields).appid)
    world.session_keys.mint(owner, world.now())
    return {}


@deferred_control_call(scene_api, "/time")
def let_time_pass(world: World) -> Run:
    """Let hours pass for the sessions of the service."""
    hours = int(min(read_body("hours").number("hours"), 2000))
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "demo", "--age-sessions", str(hours)]

    def run() -> dict[str, Any]:
        try:
            subprocess.run(command, capture_output=True, timeout=_AGING_SECONDS, check=True)
        except subprocess.SubprocessError as error:
            text = f"flask demo --age-sessions failed: {type(error).__name__}"
            raise ControlRefusal(500, text, "会话老化命令失败。") from None
        return {"hours": hours}

    return run


@deferred_control_call(scene_api, "/end-session")
def end_session(world: World) -> Run:
    """End a login session as an operator."""
    fields = read_body("appid", "session_id")
    tenant, session_id = _tenant_of(fields), fields.text("session_id")
    if not session_id.replace("-", "").isalnum():
        raise ControlRefusal(400, "This is no session id.", "会话 ID 无效。")
    operator = current_demo().operator
    return _as_operator(lambda: operator.end_session(tenant, session_id))


@deferred_control_call(scene_api, "/customer")
def add_customer(world: World) -> Run:
    """Add a person's number as a customer of the tenant, as an operator."""
    fields = read_body("appid", "person", "nickname")
    tenant, person = _tenant_of(fields), get_person(world, fields)
    phone, nickname = f"+{person.country_code}{person.phone}", fields.text("nickname")
    operator = current_demo().operator
    return _as_operator(lambda: operator.add_customer(tenant, phone, nickname))


@deferred_control_call(scene_api, "/audit")
def read_audit_log(world: World) -> Run:
    """Return the newest events of the tenant's audit log."""
    tenant, operator = _tenant_of(read_body("appid")), current_demo().operator
    events: list[dict[str, str]] = []
    act = _as_operator(lambda: events.extend(operator.read_audit_log(tenant)))
    return lambda: act() | {"events": events}


@deferred_control_call(scene_api, "/revoke")
def revoke_consent(world: World) -> Run:
    """Revoke a person's consent in WeChat. WeChat pushes the event to the service."""
    fields = read_body("person", "appid", "what")
    app, person = get_app(world, fields), get_person(world, fields)
    info = _CONSENTS[fields.choice("what", frozenset(_CONSENTS))]
    openid, now = world.identify(person, app)["openid"], world.now()
    message: dict[str, str | int] = {
        "ToUserName": original_id_of(app.appid),
        "FromUserName": sender_of(app.appid),
        "CreateTime": int(now),
        "MsgType": "event",
        "Event": "user_authorization_revoke",
        "OpenID": openid,
        "AppID": app.appid,
        "RevokeInfo": info,
    }
    traffic = current_demo().traffic

    def run() -> dict[str, Any]:
        exchange = traffic.begin("wechat", "service", "push", message)
        _, attempts = send_until_answered(
            _push_url(app), lambda: write_delivery(message, app, Manner("safe", "json"), now)
        )
        traffic.end(exchange, attempts[-1].status, {"body": attempts[-1].answer}, {})
        return {"accepted": attempts[-1].satisfies}

    return run


def _push_url(app: App) -> str:
    if not app.push_url or not app.encoding_aes_key:
        raise ControlRefusal(400, "The app has no message push.", "该小程序未配置消息推送。")
    return app.push_url


def _as_operator(act: Callable[[], None]) -> Run:
    def run() -> dict[str, Any]:
        try:
            act()
        except OperatorRefused as refusal:
            raise ControlRefusal(502, str(refusal), "控制台操作失败。") from None
        return {}

    return run


def _tenant_of(fields: Fields) -> str:
    appid = fields.text("appid")
    if appid not in _TENANTS:
        raise ControlRefusal(404, f"No demo app {appid}.", f"没有演示小程序 {appid}。")
    return _TENANTS[appid]
