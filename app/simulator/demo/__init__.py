"""Demo phone at /demo/: a mini-program in the browser, and all requests that it causes.

Only `make run` enables it. The browser reaches the service through the simulator, as `wx.request`
reaches it without CORS.
"""

from pathlib import Path

from flask import Flask, abort, request

from app.simulator.demo.operator import DemoOperator
from app.simulator.demo.pages import pages
from app.simulator.demo.phone_api import demo_phone_api
from app.simulator.demo.recorder import init_recorder
from app.simulator.demo.scene_api import scene_api
from app.simulator.demo.service import Service
from app.simulator.demo.state import Demo
from app.simulator.demo.traffic import Traffic

PREFIX = "/demo/"


def init_app(app: Flask, service_url: str, service_log: Path) -> None:
    """Serve the demo phone. Raise ValueError unless the service runs on this machine."""
    traffic = Traffic()
    service = Service(service_url, service_log, traffic)
    app.extensions["demo"] = Demo(service, traffic, DemoOperator(service))
    init_recorder(app, traffic)
    app.before_request(_refuse_other_pages)
    app.register_blueprint(pages)
    app.register_blueprint(demo_phone_api)
    app.register_blueprint(scene_api)


def is_own_request() -> bool:
    """Return whether the page of the demo, at this address, sent the request to the demo."""
    own = f"http://{request.host}"
    return request.path.startswith(PREFIX) and request.headers["Origin"] == own


def _refuse_other_pages() -> None:
    """Refuse what other web pages send to the API of the demo. They may link to its pages."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    is_api = request.path.startswith((f"{PREFIX}api/", f"{PREFIX}service/"))
    if is_api and site not in ("same-origin", "none"):
        abort(403)
