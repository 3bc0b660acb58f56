"""Control API for message push: events that WeChat sends to a mini-program's server."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from app.simulator.control.input import ControlRefusal, Fields, read_body
from app.simulator.control.registry import (
    control_blueprint,
    deferred_control_call,
    get_app,
    get_person,
)
from app.simulator.minting import original_id_of, sender_of
from app.simulator.pushes.sender import PATIENCE, send, send_until_answered
from app.simulator.pushes.wire import FAULTS, FORMATS, MODES, Manner, Message, write_delivery
from app.simulator.world import App, World

push_api = control_blueprint("push_api")

Send = Callable[[], dict[str, Any]]

_HOW = ("appid", "mode", "format", "url", "faults", "patience")


@deferred_control_call(push_api, "/pushes")
def push(world: World) -> Send:
    """Push any event or message. `fields` extend or override the fields that every event has."""
    given = read_body("event", "fields", *_HOW)
    app = get_app(world, given)
    said = {"Event": given.text("event")} if "event" in given else {}
    return _prepare_push(world, app, given, said | given.values("fields"))


@deferred_control_call(push_api, "/revoke")
def revoke(world: World) -> Send:
    """Revoke a person's consent to one kind of data: user_authorization_revoke."""
    given = read_body("person", "revoke_info", "plugin_id", *_HOW)
    said = _compliance(world, given, "user_authorization_revoke")
    said["RevokeInfo"] = given.text("revoke_info")
    if "plugin_id" in given:
        # WeChat's own example has the leading space.
        openpid = f" {sender_of(given.text('plugin_id'))}"
        said |= {"PluginID": given.text("plugin_id"), "OpenPID": openpid}
    return _prepare_push(world, get_app(world, given), given, said)


@deferred_control_call(push_api, "/cancel-account")
def cancel_account(world: World) -> Send:
    """Close a person's WeChat account: user_authorization_cancellation."""
    given = read_body("person", *_HOW)
    said = _compliance(world, given, "user_authorization_cancellation")
    return _prepare_push(world, get_app(world, given), given, said)


@deferred_control_call(push_api, "/modify-profile")
def modify_profile(world: World) -> Send:
    """Clear a person's profile, as WeChat does for a violation: user_info_modified."""
    given = read_body("person", *_HOW)
    said = _compliance(world, given, "user_info_modified")
    return _prepare_push(world, get_app(world, given), given, said)


def _compliance(world: World, given: Fields, event: str) -> dict[str, str | int]:
    app = get_app(world, given)
    openid = world.identify(get_person(world, given), app)["openid"]
    return {"Event": event, "OpenID": openid, "AppID": app.appid}


def _prepare_push(world: World, app: App, given: Fields, said: Message) -> Send:
    """Return a function that sends the push. The caller runs it without the world's lock."""
    url, manner = _url(app, given), _manner(app, given)
    patience = given.number("patience", default=PATIENCE)
    every = {"ToUserName": original_id_of(app.appid), "FromUserName": sender_of(app.appid)}
    message = {**every, "CreateTime": int(world.now()), "MsgType": "event", **said}

    def run() -> dict[str, Any]:
        delivery, attempts = send_until_answered(
            url, lambda: write_delivery(message, app, manner, world.now()), patience
        )
        if "duplicate" in manner.faults:
            attempts.append(send(url, delivery, patience))
        told = [asdict(attempt) for attempt in attempts]
        return {"accepted": attempts[-1].satisfies, "attempts": told, "message": message}

    return run


def _url(app: App, given: Fields) -> str:
    url = given.text_or_none("url") or app.push_url
    parts = urlsplit(url or "")
    if not url or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ControlRefusal(
            400,
            "Give url, here or with POST /_simulator/apps as push_url: where pushes go to.",
            "请提供推送地址：此处的 url，或 POST /_simulator/apps 的 push_url。",
        )
    return url


def _manner(app: App, given: Fields) -> Manner:
    mode = "safe" if app.encoding_aes_key else "plain"
    if "mode" in given:
        mode = given.choice("mode", MODES)
    if not app.push_token or (mode != "plain" and not app.encoding_aes_key):
        raise ControlRefusal(
            400,
            "Give the app its push_token, and its encoding_aes_key unless the mode is plain: "
            "POST /_simulator/apps.",
            "请先为小程序设置 push_token；非明文模式还需 encoding_aes_key：POST /_simulator/apps。",
        )
    data_format = given.choice("format", FORMATS) if "format" in given else "json"
    return Manner(mode, data_format, _faults(given))


def _faults(given: Fields) -> frozenset[str]:
    faults = frozenset(given.texts("faults"))
    if faults - FAULTS:
        known = ", ".join(sorted(FAULTS))
        raise ControlRefusal(400, f"Faults are: {known}.", f"可用的 faults：{known}。")
    return faults
