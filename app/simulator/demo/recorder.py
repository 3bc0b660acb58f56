"""Recording of the calls that the service sends to WeChat."""

from flask import Flask, Response, g, request

from app.simulator.demo.masking import read_json
from app.simulator.demo.traffic import Traffic


def init_recorder(app: Flask, traffic: Traffic) -> None:
    """Record every call of the WeChat API with its response."""

    def begin() -> None:
        if request.blueprint == "wechat_api":
            body = request.get_json(force=True, silent=True)
            given = {**request.args.to_dict(), **(body if isinstance(body, dict) else {})}
            shown = {"method": request.method, "path": request.path, **given}
            kind = request.path.rpartition("/")[2]
            g.exchange = traffic.begin("service", "wechat", kind, shown)

    def end(response: Response) -> Response:
        if "exchange" in g:
            answer = read_json(response.get_data())
            traffic.end(g.exchange, response.status_code, answer, {})
        return response

    app.before_request(begin)
    app.after_request(end)
