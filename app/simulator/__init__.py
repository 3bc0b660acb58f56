"""WeChat simulator for development: the server API, and phones. Never for production."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, abort, request

from app.simulator import demo
from app.simulator.control.api import control_api
from app.simulator.control.help_page import help_page
from app.simulator.phone_api import phone_api
from app.simulator.pushes.api import push_api
from app.simulator.wechat_api import wechat_api
from app.simulator.world import World

# WeChat's developer tools send this Referer. A web page cannot send the Referer of another site.
MINI_PROGRAM = re.compile(r"https://servicewechat\.com/[^/]+/[^/]+/page-frame\.html")


def create_simulator(
    environ: Mapping[str, str] | None = None, *, demo_service: str = "", service_log: str = ""
) -> Flask:
    """Return the simulator app with an empty world. Raise RuntimeError in production.

    With `demo_service`, the URL of a service on this machine, and its log file, the simulator
    serves the demo phone at /demo/.
    """
    names = (os.environ.get("WXPASS_ENV", ""), (environ or {}).get("WXPASS_ENV", ""))
    if any(name.strip() not in ("", "development") for name in names):
        raise RuntimeError(
            "The WeChat simulator hands out any identity, so it starts in development only, "
            "not with WXPASS_ENV=production or anything else. "
            "Point WECHAT_API_BASE_URL at https://api.weixin.qq.com instead."
        )
    app = Flask(__name__)
    app.extensions["simulated_world"] = World()
    app.before_request(_refuse_web_pages)
    app.register_blueprint(wechat_api)
    app.register_blueprint(phone_api)
    app.register_blueprint(push_api)
    app.register_blueprint(control_api)
    app.register_blueprint(help_page)
    if demo_service:
        demo.init_app(app, demo_service, Path(service_log))
    return app


def _refuse_web_pages() -> None:
    """Refuse requests from web pages in a browser on this machine, except those of the demo.

    WeChat's developer tools run mini-programs in a browser, and are accepted.
    """
    host = urlsplit(f"//{request.host}").hostname
    if host not in ("127.0.0.1", "::1", "localhost"):
        abort(403)  # DNS rebinding sends the host name of the other site.
    if "Origin" in request.headers and not (demo.is_own_request() or _is_mini_program()):
        abort(403)


def _is_mini_program() -> bool:
    return MINI_PROGRAM.fullmatch(request.headers.get("Referer", "")) is not None
