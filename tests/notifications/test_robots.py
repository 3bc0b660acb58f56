"""Messages to group robots and webhooks."""

import hmac
import json
import logging
import time
from base64 import b64decode, b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from app.notifications import (
    DingTalkRobot,
    Message,
    NotDelivered,
    Notifier,
    Reason,
    Webhook,
    WeComRobot,
)
from app.notifications.robots import signature_query

KEY = "693a91f6-7a64-4c2e-9a35-0b1c5d2f4e88"
WECOM = WeComRobot(f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}")
TOKEN = "5ec2e7" + "0" * 54 + "cafe"
SECRET = "SECf00dcafe"
DINGTALK = DingTalkRobot(f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}", SECRET)
HOOK_SECRET = "whsec_" + b64encode(b"a secret of thirty-two bytes....").decode()
WEBHOOK = Webhook("https://hooks.example.com/5ec2e7/alerts", HOOK_SECRET)
MESSAGE = Message("[wxpass] acme: AppSecret rejected", "Since 09:00.\nWhat to do.", {"a": [1]})


@pytest.fixture
def notifier(client):
    return Notifier(client=client)


def not_delivered(notifier, target, message=MESSAGE):
    with pytest.raises(NotDelivered) as caught:
        notifier.deliver(target, message)
    return caught.value


def text_of(request):
    return json.loads(request.body)["text"]["content"]


def test_a_message_to_wecom_is_a_text(notifier, receiver):
    notifier.deliver(WECOM, MESSAGE)
    (request,) = receiver.received
    assert request.path == f"/cgi-bin/webhook/send?key={KEY}"
    assert json.loads(request.body) == {
        "msgtype": "text",
        "text": {"content": f"{MESSAGE.subject}\n{MESSAGE.text}"},
    }


def test_a_message_to_dingtalk_is_signed(notifier, receiver):
    notifier.deliver(DINGTALK, MESSAGE)
    (request,) = receiver.received
    query = parse_qs(urlsplit(request.path).query)
    assert query["access_token"] == [TOKEN]
    (timestamp,), (sign,) = query["timestamp"], query["sign"]
    assert abs(int(timestamp) / 1000 - time.time()) < 60
    signed = hmac.digest(SECRET.encode(), f"{timestamp}\n{SECRET}".encode(), "sha256")
    assert b64decode(sign) == signed
    body = json.loads(request.body)
    assert body["msgtype"] == "text"
    assert body["at"] == {"isAtAll": False}


def test_the_signature_for_dingtalk_matches_the_one_of_openssl():
    """printf '1577262236757\\nthis is secret' | openssl dgst -sha256 -hmac 'this is secret'."""
    expected = "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    signed = signature_query("this is secret", 1577262236757)
    assert signed == f"timestamp=1577262236757&sign={expected}"


def test_a_robot_without_signature_gets_no_signature(notifier, receiver):
    notifier.deliver(DingTalkRobot(DINGTALK.url), MESSAGE)
    assert receiver.received[0].path == f"/robot/send?access_token={TOKEN}"


def test_names_in_a_message_mention_nobody(notifier, receiver):
    """<@all>, <@userid> and @13800138001 are mentions on one of the platforms."""
    name = "<@all>[click](https://evil.example)@13800138001 @所有人\u202e"
    for robot in (WECOM, DINGTALK):
        notifier.deliver(robot, Message(name, name))
        request = receiver.received[-1]
        assert "@" not in text_of(request)
        assert "\u202e" not in text_of(request)
        assert json.loads(request.body)["msgtype"] == "text"
        assert "mentioned_list" not in request.body.decode()


def test_a_long_message_is_shortened_to_the_limit_of_the_platform(notifier, receiver):
    notifier.deliver(WECOM, Message("标题", "密钥错误" * 2000))
    text = text_of(receiver.received[0])
    assert 2000 < len(text.encode()) <= 2048
    assert text.endswith(" …")
    notifier.deliver(DINGTALK, Message("标题", "密钥错误" * 2000))
    assert len(text_of(receiver.received[1]).encode()) <= 5000


@pytest.mark.parametrize(
    ("robot", "errcode", "reason", "may_retry"),
    [
        (WECOM, 93000, Reason.KEY_REJECTED, False),
        (WECOM, 45009, Reason.RATE_LIMITED, True),
        (WECOM, 40058, Reason.REFUSED, False),
        (WECOM, -1, Reason.REFUSED, True),
        (DINGTALK, 300001, Reason.KEY_REJECTED, False),
        (DINGTALK, 310000, Reason.SECURITY_SETTINGS, False),
        (DINGTALK, 130101, Reason.RATE_LIMITED, True),
    ],
)
def test_the_errcode_of_a_robot_is_the_reason(
    notifier, receiver, robot, errcode, reason, may_retry
):
    receiver.content = json.dumps({"errcode": errcode, "errmsg": f"bad {KEY}"}).encode()
    error = not_delivered(notifier, robot)
    assert (error.reason, error.number, error.may_retry) == (reason, errcode, may_retry)
    assert KEY not in str(error)


@pytest.mark.parametrize("content", [b"", b"ok", b"[]", b"{}", b"[" * 60_000, b"\xff"])
def test_a_response_without_an_errcode_is_invalid(notifier, receiver, content):
    receiver.content = content
    assert not_delivered(notifier, WECOM).reason == Reason.ANSWER_INVALID


@pytest.mark.parametrize(
    "robot",
    [
        WeComRobot("https://qyapi.weixin.qq.com.evil.example/cgi-bin/webhook/send?key=a"),
        WeComRobot("https://evil.example/cgi-bin/webhook/send?key=a"),
        WeComRobot("https://qyapi.weixin.qq.com:8443/cgi-bin/webhook/send?key=a"),
        WeComRobot("https://qyapi.weixin.qq.com/cgi-bin/gettoken?key=a"),
        WeComRobot("https://qyapi.weixin.qq.com/cgi-bin/webhook/send"),
        WeComRobot("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a&key=b"),
        WeComRobot("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a&debug=1"),
        WeComRobot("https://a@qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a"),
        WeComRobot(DINGTALK.url),
        DingTalkRobot(WECOM.url),
        DingTalkRobot("https://oapi.dingtalk.com/robot/send?access_token=a&sign=b"),
    ],
)
def test_a_robot_has_the_url_of_its_platform(notifier, network, robot):
    assert not_delivered(notifier, robot).reason == Reason.URL_INVALID
    assert network.resolved == []


def test_a_webhook_receives_signed_json(notifier, receiver):
    notifier.deliver(WEBHOOK, MESSAGE)
    (request,) = receiver.received
    assert json.loads(request.body) == {
        "id": MESSAGE.id,
        "subject": MESSAGE.subject,
        "text": MESSAGE.text,
        "data": {"a": [1]},
    }
    stamp = request.headers["webhook-timestamp"]
    assert abs(int(stamp) - time.time()) < 60
    assert request.headers["webhook-id"] == MESSAGE.id
    key = b64decode(HOOK_SECRET.removeprefix("whsec_"))
    signed = f"{MESSAGE.id}.{stamp}.".encode() + request.body
    expected = b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


def test_the_response_of_a_webhook_needs_no_content(notifier, receiver):
    receiver.status, receiver.content = 204, b""
    notifier.deliver(WEBHOOK, MESSAGE)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "secret", ["", "short", "whsec_", "whsec_c2hvcnQ=", "whsec_*", "whsec_密钥", HOOK_SECRET[6:]]
)
def test_a_webhook_needs_a_secret_of_24_bytes(notifier, network, secret):
    with pytest.raises(NotDelivered) as caught:
        notifier.check(Webhook(WEBHOOK.url, secret))
    assert caught.value.reason == Reason.SECRET_INVALID
    assert not_delivered(notifier, Webhook(WEBHOOK.url, secret)).reason == Reason.SECRET_INVALID


def test_no_representation_or_log_contains_a_key(notifier, receiver, caplog):
    caplog.set_level(logging.DEBUG)
    for target in (WECOM, DINGTALK, WEBHOOK):
        receiver.content = b'{"errcode":93000}'
        if target is not WEBHOOK:
            not_delivered(notifier, target)
        for text in (repr(target), str(target), target.shown, caplog.text):
            for secret in (KEY, TOKEN, SECRET, HOOK_SECRET, "5ec2e7"):
                assert secret not in text
    assert WECOM.shown == "qyapi.weixin.qq.com …4e88"
    assert DINGTALK.shown == "oapi.dingtalk.com …cafe"
    assert WEBHOOK.shown == "hooks.example.com"
