"""The WeChat server API for mini-programs, at the paths of api.weixin.qq.com."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, request

from app.simulator.access_tokens import AccessToken
from app.simulator.answers import PHONE_PATH, answer, refusal_payload
from app.simulator.calls import Call
from app.simulator.checks import check_app, check_ip, check_signature
from app.simulator.fault_injection import inject_faults_after, inject_faults_before
from app.simulator.refusals import Refusal
from app.simulator.world import World, current_world

Work = Callable[[World], dict[str, Any]]

wechat_api = Blueprint("wechat_api", __name__)


def _call(path: str, **refused_methods: int) -> Callable[[Work], Work]:
    """Register a call. It runs under the world's lock. Its result is sent in WeChat's format."""

    def register(work: Work) -> Work:
        def view() -> Response:
            if request.method in refused_methods:
                raise Refusal(refused_methods[request.method])
            world = current_world()
            with world.lock:
                payload = work(world)
            return answer(payload, path, world.settings)

        wechat_api.add_url_rule(path, work.__name__, view, methods=["GET", "POST"])
        return work

    return register


@_call("/sns/jscode2session")
def jscode2session(world: World) -> dict[str, Any]:
    """Exchange a login code. Like WeChat, read only the query and respond without an errcode."""
    app = check_app(world, request.args, "authorization_code", js_code=41008)
    code = world.login_codes.get(request.args["js_code"], world.now())
    if code.appid != app.appid:
        raise Refusal(40029)
    if code.used:
        raise Refusal(40163)
    code.used = True
    identity = world.identify(code.grant.person, app)
    return {"session_key": code.grant.session_key, **identity}


@_call("/cgi-bin/token", POST=43001)
def token(world: World) -> dict[str, Any]:
    """Issue a legacy access token. The previous one expires after `OVERLAP` seconds."""
    app = check_app(world, request.args, "client_credential")
    check_ip(app, request.remote_addr or "")
    now = world.now()
    return _token_payload(world.access_tokens.issue_legacy(app.appid, now), now)


@_call("/cgi-bin/stable_token", GET=43002)
def stable_token(world: World) -> dict[str, Any]:
    """Return the stable access token, or a new one with `force_refresh`."""
    given = _json_body()
    app = check_app(world, given, "client_credential")
    check_ip(app, request.remote_addr or "")
    tokens, now = world.access_tokens, world.now()
    issue = tokens.force_stable if given.get("force_refresh") is True else tokens.issue_stable
    return _token_payload(issue(app.appid, now), now)


@_call(PHONE_PATH, GET=43002)
def getuserphonenumber(world: World) -> dict[str, Any]:
    """Exchange a phone code. If an openid is given, it must be the one of the code."""
    appid = _appid_of_token(world)
    given = _json_body()
    if not given.get("code"):
        raise Refusal(41008)
    code = world.phone_codes.get(str(given["code"]), world.now())
    if code.used:
        raise Refusal(40029)
    if code.appid != appid:
        raise Refusal(40013)
    if given.get("openid") not in (None, "", code.grant.openid):
        raise Refusal(40003)
    code.used = True
    return {"errcode": 0, "errmsg": "ok", "phone_info": code.grant.phone_info}


@_call("/wxa/checksession", POST=43001)
def checksession(world: World) -> dict[str, Any]:
    """Return whether the signature was made with the valid session_key."""
    check_signature(world, _appid_of_token(world), request.args, missing_key=87009)
    return {"errcode": 0, "errmsg": "ok"}


@_call("/wxa/resetusersessionkey", POST=43001)
def resetusersessionkey(world: World) -> dict[str, Any]:
    """Replace the valid session_key by a new one with the same expiry."""
    owner, old = check_signature(world, _appid_of_token(world), request.args, missing_key=87007)
    key = world.session_keys.reset(owner, old).value
    openid = request.args["openid"]
    return {"errcode": 0, "errmsg": "ok", "openid": openid, "session_key": key}


@wechat_api.before_request
def _record_call() -> Response | None:
    world = current_world()
    with world.lock:
        g.call = _describe_call(world)
        world.calls.record(g.call)
    if _has_no_length():
        return Response(b"", status=412)
    return inject_faults_before(world, g.call)


@wechat_api.after_request
def _inject_faults(response: Response) -> Response:
    # A request of a web page was refused before it was recorded.
    return inject_faults_after(current_world(), g.call, response) if "call" in g else response


@wechat_api.errorhandler(Refusal)
def _refuse(refusal: Refusal) -> Response:
    world = current_world()
    path = request.path
    return answer(refusal_payload(refusal, path, world.now()), path, world.settings)


def _has_no_length() -> bool:
    # WeChat's gateway requires a Content-Length here. A chunked body has none.
    return (request.method, request.path) == ("POST", PHONE_PATH) and (
        not request.environ.get("CONTENT_LENGTH")
    )


def _describe_call(world: World) -> Call:
    body = request.get_json(force=True, silent=True)
    body = body if isinstance(body, dict) else {}
    token = world.access_tokens.find(request.args.get("access_token", ""))
    given = {**body, **request.args.to_dict()}
    return Call(
        method=request.method,
        path=request.path,
        appid=token.appid if token else given.get("appid"),
        query=tuple(sorted(request.args)),
        body=tuple(sorted(body)),
        openid_given=bool(given.get("openid")),
    )


def _json_body() -> dict[str, Any]:
    if not request.get_data():
        raise Refusal(44002)
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Refusal(47001)
    return body


def _appid_of_token(world: World) -> str:
    value = request.args.get("access_token", "")
    return world.access_tokens.get_working(value, world.now()).appid


def _token_payload(token: AccessToken, now: float) -> dict[str, Any]:
    return {"access_token": token.value, "expires_in": int(token.expires_at - now)}
