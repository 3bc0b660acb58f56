"""Group robots of WeCom (企业微信) and DingTalk (钉钉).

Messages have the type `text`, because names of tenants and apps could contain Markdown. A robot may
send 20 messages a minute. Sources: 企业微信 群机器人配置说明 (path/91770), 钉钉 自定义机器人接入.
"""

import hmac
import json
import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from app.notifications.addresses import HttpsUrl, read_url
from app.notifications.failures import NotDelivered, Reason
from app.notifications.https import HttpsClient
from app.notifications.messages import Message, shortened, without_mentions

MOST_WECOM_BYTES = 2048
# DingTalk documents 20,000 bytes for a request.
MOST_DINGTALK_BYTES = 5000

_WECOM_REASONS = {
    45009: Reason.RATE_LIMITED,
    45033: Reason.RATE_LIMITED,
    93000: Reason.KEY_REJECTED,  # invalid webhook url
    93004: Reason.KEY_REJECTED,  # the robot was removed from the group
    93008: Reason.KEY_REJECTED,  # not in the group
}
_DINGTALK_REASONS = {
    130101: Reason.RATE_LIMITED,
    130102: Reason.RATE_LIMITED,
    410100: Reason.RATE_LIMITED,
    300001: Reason.KEY_REJECTED,  # token is not exist
    300005: Reason.KEY_REJECTED,
    400101: Reason.KEY_REJECTED,  # the token does not exist
    400102: Reason.KEY_REJECTED,  # the robot is disabled
    310000: Reason.SECURITY_SETTINGS,  # keyword, signature or IP address
}
_TEMPORARY_ERRCODE = -1  # "system busy" on both platforms


@dataclass(frozen=True, slots=True)
class WeComRobot:
    """A group robot of WeCom. The URL contains its key."""

    url: str = field(repr=False)

    def check(self) -> None:
        """Raise NotDelivered for a URL of another service."""
        _read_robot_url(self.url, "qyapi.weixin.qq.com", "/cgi-bin/webhook/send", "key")

    @property
    def shown(self) -> str:
        """The host and the end of the key."""
        return _shown(self.url)


@dataclass(frozen=True, slots=True)
class DingTalkRobot:
    """A custom robot of DingTalk. The URL contains its token; `secret` signs, if there is one."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raise NotDelivered for a URL of another service, or an impossible secret."""
        _read_robot_url(self.url, "oapi.dingtalk.com", "/robot/send", "access_token")
        if self.secret is not None and not (self.secret.isascii() and self.secret.isalnum()):
            raise NotDelivered(Reason.SECRET_INVALID)

    @property
    def shown(self) -> str:
        """The host and the end of the token."""
        return _shown(self.url)


def send_to_wecom(client: HttpsClient, robot: WeComRobot, message: Message) -> None:
    """Send a text message. Raise NotDelivered."""
    robot.check()
    text = shortened(_content(message), MOST_WECOM_BYTES)
    body = {"msgtype": "text", "text": {"content": text}}
    _post(client, read_url(robot.url), body, _WECOM_REASONS)


def send_to_dingtalk(client: HttpsClient, robot: DingTalkRobot, message: Message) -> None:
    """Send a text message, signed if the robot has a secret. Raise NotDelivered."""
    robot.check()
    url = read_url(robot.url)
    if robot.secret is not None:
        signed = signature_query(robot.secret, round(time.time() * 1000))
        url = HttpsUrl(url.host, url.port, f"{url.target}&{signed}")
    text = shortened(_content(message), MOST_DINGTALK_BYTES)
    body = {"msgtype": "text", "text": {"content": text}, "at": {"isAtAll": False}}
    _post(client, url, body, _DINGTALK_REASONS)


def signature_query(secret: str, milliseconds: int) -> str:
    """Return the parameters that sign a request to DingTalk (加签)."""
    signed = f"{milliseconds}\n{secret}".encode()
    signature = b64encode(hmac.digest(secret.encode(), signed, "sha256"))
    return f"timestamp={milliseconds}&sign={quote(signature, safe='')}"


def _content(message: Message) -> str:
    return without_mentions(f"{message.subject}\n{message.text}")


def _post(client: HttpsClient, url: HttpsUrl, body: Any, reasons: dict[int, Reason]) -> None:
    answer = client.post(url, json.dumps(body, ensure_ascii=False).encode(), {})
    try:
        errcode = json.loads(answer.content)["errcode"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotDelivered(Reason.ANSWER_INVALID) from None
    if errcode == 0 and isinstance(errcode, int):
        return
    number = errcode if isinstance(errcode, int) else None
    reason = reasons.get(number or 0, Reason.REFUSED)
    raise NotDelivered(reason, number, may_retry=True if number == _TEMPORARY_ERRCODE else None)


def _read_robot_url(url: str, host: str, path: str, parameter: str) -> None:
    parts = read_url(url)
    query = parse_qs(urlsplit(url).query)
    is_fitting = parts.host == host and parts.port == 443 and urlsplit(url).path == path
    if not is_fitting or list(query) != [parameter] or len(query[parameter]) != 1:
        raise NotDelivered(Reason.URL_INVALID)


def _shown(url: str) -> str:
    return f"{urlsplit(url).hostname} …{url[-4:]}"
