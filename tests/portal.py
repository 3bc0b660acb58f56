"""WeChat's side of the message push: writes deliveries as the simulator does, sends them to us."""

import base64
import struct
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from Crypto.Cipher import AES
from Crypto.Util.Padding import pad
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.models import SocialAccount
from app.services import audit
from app.services.apps import set_app_push
from app.simulator.push_wire import (
    Delivery,
    Manner,
    sign,
    write_delivery,
    write_json,
    write_xml,
)
from app.simulator.world import App as SimulatedApp
from app.wechat import Push
from tests.cast import ACME_SHOP, App, Client

TOKEN, AES_KEY = "PushToken12345", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
REVOKE = "user_authorization_revoke"
OPENID = "oaKk343WOktAaT2ygsX138BGblrg"


def address_of(app: App) -> str:
    """Give the path that is entered in WeChat's console."""
    return f"/wx/portal/{app.appid}"


def configure(
    service: Flask, token: str = TOKEN, key: str | None = AES_KEY, app: App = ACME_SHOP
) -> None:
    """Enter an app's push secrets here."""
    with service.app_context():
        set_app_push(app.appid, token, key)


def event(name: str = REVOKE, **fields: str | int) -> dict[str, str | int]:
    """Say what WeChat says; a withdrawal of the phone unless told otherwise."""
    said: dict[str, str | int] = {
        "ToUserName": "gh_870882ca4b1",
        "FromUserName": "oaKk346BaWE-eIn4oSRWbaM9vR7s",
        "CreateTime": int(time.time()),
        "MsgType": "event",
        "Event": name,
    }
    if name == REVOKE:
        said |= {"OpenID": OPENID, "AppID": ACME_SHOP.appid, "RevokeInfo": "8"}
    return said | fields


def seal(content: bytes, encoding_aes_key: str, appid: str) -> str:
    """Encrypt bytes that need not be text as WeChat encrypts a message."""
    key = base64.b64decode(encoding_aes_key + "=")
    full = b"r" * 16 + struct.pack(">I", len(content)) + content + appid.encode()
    cipher = AES.new(key, AES.MODE_CBC, key[:16])
    return base64.b64encode(cipher.encrypt(pad(full, 32))).decode()


class Portal:
    """The message push of one app, as the console has it."""

    def __init__(
        self, client: Client, app: App = ACME_SHOP, token: str = TOKEN, key: str = AES_KEY
    ) -> None:
        self.client, self.app = client, app
        self.simulated = SimulatedApp(app.appid, app.secret, push_token=token, encoding_aes_key=key)

    def write(
        self, message: dict[str, str | int], mode: str = "safe", form: str = "json", *faults: str
    ) -> Delivery:
        """Write a delivery."""
        manner = Manner(mode, form, frozenset(faults))
        return write_delivery(message, self.simulated, manner, time.time())

    def write_damaged(
        self, message: dict[str, str | int], damage: bytes, mode: str, form: str
    ) -> Delivery:
        """Write a delivery with these bytes wherever the message says DAMAGE."""
        write = write_json if form == "json" else write_xml
        content = write(message).encode().replace(b"DAMAGE", damage)
        delivery = self.write(message, mode, form)
        if mode == "plain":
            return replace(delivery, body=content)
        encrypt = seal(content, self.simulated.encoding_aes_key or "", self.app.appid)
        signed = delivery.query["timestamp"], delivery.query["nonce"], encrypt
        query = delivery.query | {"msg_signature": sign(self.simulated, *signed)}
        return replace(delivery, query=query, body=write({"Encrypt": encrypt}).encode())

    def send(self, delivery: Delivery, to: App | None = None, **how: Any) -> TestResponse:
        """Send a delivery, to the app's address unless told otherwise."""
        how = {"content_type": delivery.content_type, "data": delivery.body} | how
        how = {"query_string": delivery.query} | how
        return self.client.send("POST", address_of(to or self.app), **how)

    def push(self, message: dict[str, str | int], *how: str) -> TestResponse:
        """Write a delivery and send it."""
        return self.send(self.write(message, *how))


def forget_nickname(
    db: Session, tenant_id: Any, appid: str, push: Push, received_at: datetime
) -> None:
    """Handle an event as a real handler would: by SQL, audited, nothing new the second time."""
    account = update(SocialAccount).where(
        SocialAccount.tenant_id == tenant_id,
        SocialAccount.appid == appid,
        SocialAccount.openid == push.openid,
    )
    db.execute(account.values(nickname=None))
    audit.record(
        db, tenant_id, audit.Actor("wechat"), "test.handled", appid, infos=push.revoke_infos
    )


def succeeded(answer: TestResponse) -> bool:
    """Tell whether WeChat leaves it at that."""
    return (answer.status_code, answer.data) == (200, b"success")
