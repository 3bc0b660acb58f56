"""Control API for the world: faults, time, settings, and received calls."""

from dataclasses import asdict, replace
from typing import Any

from app.simulator.control.input import ControlRefusal, Fields, read_body, read_query
from app.simulator.control.registry import control_blueprint, control_call, get_app
from app.simulator.faults import DEFAULT_SECONDS, KINDS, Fault
from app.simulator.world import World

control_api = control_blueprint("control_api")

_POLICIES = frozenset({"always", "never"})
_CONTENT_TYPES = frozenset({"text/plain", "application/json; encoding=utf-8"})


@control_call(control_api, "GET", "/faults")
def list_faults(world: World) -> dict[str, Any]:
    """List the pending faults."""
    return {"faults": world.faults.listing()}


@control_call(control_api, "POST", "/faults")
def add_fault(world: World) -> dict[str, Any]:
    """Add a fault, for `times` calls or until it is removed."""
    fields = read_body("kind", "path", "appid", "times", "seconds", "errcode")
    kind = fields.choice("kind", KINDS)
    fault = Fault(
        kind=kind,
        path=fields.text_or_none("path"),
        appid=fields.text_or_none("appid"),
        times=_times(fields),
        seconds=fields.number("seconds", default=DEFAULT_SECONDS.get(kind, 0.0)),
        errcode=_errcode(fields, kind),
    )
    world.faults.add(fault)
    return asdict(fault)


@control_call(control_api, "DELETE", "/faults")
def clear_faults(world: World) -> dict[str, Any]:
    """Remove all faults."""
    world.faults.clear()
    return {"faults": []}


@control_call(control_api, "POST", "/clock")
def advance_clock(world: World) -> dict[str, float]:
    """Advance the simulated time. Codes, keys and tokens expire accordingly."""
    world.advance(read_body("advance").number("advance"))
    return {"now": world.now()}


@control_call(control_api, "POST", "/settings")
def change_settings(world: World) -> dict[str, Any]:
    """Change the given settings, and return all settings."""
    fields = read_body("session_key_policy", "escape_slashes", "sns_content_type")
    changes: dict[str, Any] = {}
    if "session_key_policy" in fields:
        changes["session_key_policy"] = _session_key_policy(fields)
    if "escape_slashes" in fields:
        changes["escape_slashes"] = fields.flag("escape_slashes")
    if "sns_content_type" in fields:
        changes["sns_content_type"] = fields.choice("sns_content_type", _CONTENT_TYPES)
    world.settings = replace(world.settings, **changes)
    return asdict(world.settings)


@control_call(control_api, "GET", "/tokens")
def show_tokens(world: World) -> dict[str, list[str]]:
    """Return the valid access tokens of an app, for tests that search output for them."""
    appid, now = get_app(world, read_query()).appid, world.now()
    tokens = world.access_tokens
    return {
        "stable": tokens.working(appid, "stable", now),
        "legacy": tokens.working(appid, "legacy", now),
    }


@control_call(control_api, "GET", "/calls")
def list_calls(world: World) -> dict[str, Any]:
    """List the received calls, oldest first, without secrets.

    `most_waiting` is the highest number of calls that a `slow` fault delayed at the same time.
    """
    return {"calls": world.calls.listing(), "most_waiting": world.calls.most_waiting}


@control_call(control_api, "DELETE", "/calls")
def clear_calls(world: World) -> dict[str, Any]:
    """Remove the received calls."""
    world.calls.clear()
    return {"calls": []}


@control_call(control_api, "POST", "/reset")
def reset(world: World) -> dict[str, Any]:
    """Reset all state except the apps, and return to the real time."""
    world.reset_all_but_apps()
    return {"apps": sorted(world.apps)}


@control_call(control_api, "GET", "/health")
def health(world: World) -> dict[str, str]:
    """Report that the simulator is running."""
    return {"status": "ok"}


def _times(fields: Fields) -> int | None:
    times = fields.integer_or_none("times")
    if times is not None and times < 1:
        raise ControlRefusal(
            400,
            "Give times as 1 or more, or leave it out for a fault that stays.",
            "请将 times 设为不小于 1 的整数；省略则故障一直存在。",
        )
    return times


def _errcode(fields: Fields, kind: str) -> int | None:
    errcode = fields.integer_or_none("errcode")
    if (kind == "errcode") != (errcode is not None):
        raise ControlRefusal(
            400,
            "Give errcode with the kind errcode, and with no other.",
            "errcode 仅用于 kind 为 errcode 的故障，且必填。",
        )
    return errcode


def _session_key_policy(fields: Fields) -> str | float:
    if fields.is_text("session_key_policy"):
        return fields.choice("session_key_policy", _POLICIES)
    return fields.number("session_key_policy")
