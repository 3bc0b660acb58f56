"""Webhooks: JSON with a signature in the headers, as the Standard Webhooks specification says.

`webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`.
"""

import binascii
import hmac
import json
import secrets
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from app.notifications.addresses import read_url
from app.notifications.failures import NotDelivered, Reason
from app.notifications.https import HttpsClient
from app.notifications.messages import Message, one_line, plain_text

PREFIX = "whsec_"
SHORTEST_SECRET, LONGEST_SECRET = 24, 64  # bytes, as the specification requires


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that receives JSON. `secret` is `whsec_` and the base64 of 24 to 64 bytes."""

    url: str = field(repr=False)
    secret: str = field(repr=False)

    def check(self) -> None:
        """Raise NotDelivered for an invalid URL or secret."""
        read_url(self.url)
        _key_of(self.secret)

    @property
    def shown(self) -> str:
        """The host. The path may contain a key."""
        return read_url(self.url).host


def new_webhook_secret() -> str:
    """Return a secret of 32 random bytes."""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def send_to_webhook(client: HttpsClient, webhook: Webhook, message: Message) -> None:
    """Send a message. A status below 300 confirms it. Raise NotDelivered."""
    body = json.dumps(
        {
            "id": message.id,
            "subject": one_line(message.subject),
            "text": plain_text(message.text),
            "data": dict(message.data),
        },
        ensure_ascii=False,
    ).encode()
    seconds = int(time.time())
    headers = {
        "webhook-id": message.id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(webhook.secret, message.id, seconds, body),
    }
    client.post(read_url(webhook.url), body, headers)


def signature(secret: str, message_id: str, seconds: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`."""
    signed = f"{message_id}.{seconds}.".encode() + body
    return f"v1,{b64encode(hmac.digest(_key_of(secret), signed, 'sha256')).decode()}"


def _key_of(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise NotDelivered(Reason.SECRET_INVALID) from None
    if not secret.startswith(PREFIX) or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise NotDelivered(Reason.SECRET_INVALID)
    return key
