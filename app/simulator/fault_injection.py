"""Fault injection before and after a call is executed, outside the world's lock."""

import socket
import time
from collections.abc import Callable
from typing import Any

from flask import Response, request

from app.simulator.calls import Call
from app.simulator.faults import REFUSING, REPLACING
from app.simulator.refusals import Refusal
from app.simulator.wechat_json import to_json
from app.simulator.world import World

Payload = dict[str, Any]

_HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"


def inject_faults_before(world: World, call: Call) -> Response | None:
    """Inject faults before a call is executed. Return the replacement response, or None.

    Raises Refusal for a fault with an errcode.
    """
    with world.lock:
        slow, calls = world.faults.take({"slow"}, call), world.calls
        if slow:
            calls.wait(True)
    if slow:
        time.sleep(slow.seconds)
        with world.lock:
            calls.wait(False)
    with world.lock:
        _kill_stale_token(world, call)
        _refuse(world, call)
        replacing = world.faults.take(REPLACING, call)
    return _REPLACEMENTS[replacing.kind]() if replacing else None


def inject_faults_after(world: World, call: Call, response: Response) -> Response:
    """Change, truncate, delay or drop the response to an executed call."""
    payload = response.get_json(force=True, silent=True)
    if isinstance(payload, dict):
        with world.lock:
            _change(world, call, payload, response)
            if world.faults.take({"truncated"}, call):
                response.set_data(response.get_data()[:-8])
    with world.lock:
        timeout = world.faults.take({"timeout"}, call)
        drop = world.faults.take({"drop"}, call)
    if timeout:
        time.sleep(timeout.seconds)
    return _hang_up() if drop else response


def _kill_stale_token(world: World, call: Call) -> None:
    token = world.access_tokens.find(request.args.get("access_token", ""))
    now = world.now()
    if token and token.works(now) and world.faults.take({"stale_token"}, call):
        token.killed_at = now
        raise Refusal(40001)


def _refuse(world: World, call: Call) -> None:
    if fault := world.faults.take(REFUSING, call):
        errcode = REFUSING[fault.kind] or fault.errcode
        raise Refusal(-1 if errcode is None else errcode)


def _change(world: World, call: Call, payload: Payload, response: Response) -> None:
    for kind, change in _CHANGES.items():
        changed = change(payload)
        # A fault that would change nothing stays pending until a response that it changes.
        if changed != payload and world.faults.take({kind}, call):
            payload = changed
            response.set_data(to_json(payload, escape_slashes=world.settings.escape_slashes))


def _without(name: str) -> Callable[[Payload], Payload]:
    return lambda payload: {key: value for key, value in payload.items() if key != name}


def _with_extra_fields(payload: Payload) -> Payload:
    if payload.get("errcode"):
        return payload
    return {**payload, "is_limit": False, "new_field": {"nested": ["新", None, 1.5]}}


def _reused_as_40029(payload: Payload) -> Payload:
    if payload.get("errcode") != 40163:
        return payload
    errmsg = payload["errmsg"].replace("code been used", "invalid code")
    return {"errcode": 40029, "errmsg": errmsg}


def _with_phone_info(change: Callable[[Payload], Payload]) -> Callable[[Payload], Payload]:
    """Return a function that changes the phone_info of a payload, if it has one."""

    def changed(payload: Payload) -> Payload:
        phone = payload.get("phone_info")
        return {**payload, "phone_info": change(phone)} if phone else payload

    return changed


def _without_number(phone: Payload) -> Payload:
    return {**phone, "phoneNumber": "", "purePhoneNumber": ""}


def _hang_up() -> Response:
    server = request.environ
    connection = server.get("werkzeug.socket") or server.get("gunicorn.socket")
    if connection:
        connection.shutdown(socket.SHUT_RDWR)
    # The server cannot send this. Only a test client, which has no connection, receives it.
    return Response(b"", status=502)


_CHANGES: dict[str, Callable[[Payload], Payload]] = {
    "no_unionid": _without("unionid"),
    "missing_openid": _without("openid"),
    "extra_fields": _with_extra_fields,
    "reused_as_40029": _reused_as_40029,
    "empty_phone": _with_phone_info(_without_number),
    "no_country_code": _with_phone_info(_without("countryCode")),
}
_REPLACEMENTS: dict[str, Callable[[], Response]] = {
    "html": lambda: Response(_HTML, content_type="text/html"),
    "empty": lambda: Response(b"", content_type="text/plain"),
    "http_500": lambda: Response(b"Internal Server Error", status=500, content_type="text/plain"),
    "not_json_object": lambda: Response(b"[]", content_type="text/plain"),
}
