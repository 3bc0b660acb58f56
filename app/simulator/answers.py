"""Responses in WeChat's wire format."""

from typing import Any

from flask import Response

from app.simulator.minting import new_hint, new_rid
from app.simulator.refusals import Refusal
from app.simulator.wechat_json import to_json
from app.simulator.world import Settings

PHONE_PATH = "/wxa/business/getuserphonenumber"
API_CONTENT_TYPE = "application/json; encoding=utf-8"


def answer(payload: dict[str, Any], path: str, settings: Settings) -> Response:
    """Return a payload as a response with status 200. The content type depends on the path."""
    is_sns = path.startswith("/sns/")
    content_type = settings.sns_content_type if is_sns else API_CONTENT_TYPE
    # Passed as content_type, because Flask adds a charset to a mimetype.
    body = to_json(payload, escape_slashes=settings.escape_slashes)
    return Response(body.encode(), content_type=content_type)


def refusal_payload(refusal: Refusal, path: str, now: float) -> dict[str, Any]:
    """Return the payload of a refusal, with a request id in the format of the path."""
    return {"errcode": refusal.errcode, "errmsg": refusal.errmsg + _tail(path, now)}


def _tail(path: str, now: float) -> str:
    if path.startswith("/sns/"):
        return f", rid: {new_rid(now)}"
    hint = f" hint: [{new_hint()}]" if path == PHONE_PATH else ""
    return f"{hint} rid: {new_rid(now)}"
