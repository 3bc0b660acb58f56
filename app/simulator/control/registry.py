"""Registration of control calls, and lookup of their people and apps."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from app.simulator.control.input import ControlRefusal, Fields
from app.simulator.wechat_json import to_json
from app.simulator.world import App, Person, World, current_world

Work = Callable[[World], dict[str, Any]]
Prepare = Callable[[World], Callable[[], dict[str, Any]]]


def control_blueprint(name: str, prefix: str = "/_simulator") -> Blueprint:
    """Return a blueprint below a prefix that sends a ControlRefusal as JSON."""
    blueprint = Blueprint(name, __name__, url_prefix=prefix)
    blueprint.register_error_handler(ControlRefusal, _explain)
    return blueprint


def control_call(blueprint: Blueprint, method: str, path: str) -> Callable[[Work], Work]:
    """Register a control call. It runs under the world's lock, and its result is sent as JSON."""

    def register(work: Work) -> Work:
        def view() -> Response:
            world = current_world()
            with world.lock:
                result = work(world)
            return _as_json(result)

        blueprint.add_url_rule(path, work.__name__, view, methods=[method])
        return work

    return register


def deferred_control_call(blueprint: Blueprint, path: str) -> Callable[[Prepare], Prepare]:
    """Register a control call in two steps.

    The function runs under the world's lock. The function that it returns runs without the lock,
    because it waits for the network. Its result is sent as JSON.
    """

    def register(prepare: Prepare) -> Prepare:
        def view() -> Response:
            world = current_world()
            with world.lock:
                run = prepare(world)
            return _as_json(run())

        blueprint.add_url_rule(path, prepare.__name__, view, methods=["POST"])
        return prepare

    return register


def get_app(world: World, fields: Fields) -> App:
    """Return the app of the field `appid`. Raise ControlRefusal if it does not exist."""
    appid = fields.text("appid")
    if app := world.apps.get(appid):
        return app
    raise ControlRefusal(
        404,
        f"No app {appid}. Add it first: POST /_simulator/apps with appid and secret.",
        f"没有小程序 {appid}。请先添加：POST /_simulator/apps，带上 appid 和 secret。",
    )


def get_person(world: World, fields: Fields) -> Person:
    """Return the person of the field `person`. Raise ControlRefusal if it does not exist."""
    name = fields.text("person")
    if person := world.people.get(name):
        return person
    raise ControlRefusal(
        404,
        f"There is no person {name}. Add one first: POST /_simulator/people with name.",
        f"没有名为 {name} 的人。请先添加：POST /_simulator/people，带上 name。",
    )


def _explain(refusal: ControlRefusal) -> tuple[Response, int]:
    return _as_json({"error": str(refusal)}), refusal.status


def _as_json(result: dict[str, Any]) -> Response:
    return Response(to_json(result), mimetype="application/json")
