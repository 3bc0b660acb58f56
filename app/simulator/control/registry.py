"""Registration of control calls, and the people and apps that they name."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response

from app.simulator.control.input import ControlRefusal, Fields
from app.simulator.wechat_json import to_json
from app.simulator.world import App, Person, World, current_world

Work = Callable[[World], dict[str, Any]]
Errand = Callable[[World], Callable[[], dict[str, Any]]]


def control_blueprint(name: str) -> Blueprint:
    """Make a blueprint under /_simulator/ that explains its refusals in JSON."""
    blueprint = Blueprint(name, __name__, url_prefix="/_simulator")
    blueprint.register_error_handler(ControlRefusal, _explain)
    return blueprint


def control_call(blueprint: Blueprint, method: str, path: str) -> Callable[[Work], Work]:
    """Register a control call: its work is done under the lock, its result is sent as JSON."""

    def register(work: Work) -> Work:
        def view() -> Response:
            world = current_world()
            with world.lock:
                result = work(world)
            return _as_json(result)

        blueprint.add_url_rule(path, work.__name__, view, methods=[method])
        return work

    return register


def control_errand(blueprint: Blueprint, path: str) -> Callable[[Errand], Errand]:
    """Register a control call that is prepared under the lock and waits for others after it."""

    def register(errand: Errand) -> Errand:
        def view() -> Response:
            world = current_world()
            with world.lock:
                run = errand(world)
            return _as_json(run())

        blueprint.add_url_rule(path, errand.__name__, view, methods=["POST"])
        return errand

    return register


def get_app(world: World, fields: Fields) -> App:
    """Return the app that the field appid names."""
    appid = fields.text("appid")
    if app := world.apps.get(appid):
        return app
    raise ControlRefusal(
        404,
        f"No app {appid}. Add it first: POST /_simulator/apps with appid and secret.",
        f"没有小程序 {appid}。请先添加：POST /_simulator/apps，带上 appid 和 secret。",
    )


def get_person(world: World, fields: Fields) -> Person:
    """Return the person that the field `person` names."""
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
