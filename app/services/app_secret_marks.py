"""An app's secrets as people see them: that one is there, since when, and if it is the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.clock import now
from app.keyring import SealBroken, keyring
from app.models import WeChatApp

# Each secret of an app, and the column that says since when it is there.
SECRETS = {
    "secret": "secret_set_at",
    "next_secret": "next_secret_set_at",
    "push_token": "push_secrets_set_at",
    "encoding_aes_key": "push_secrets_set_at",
}
FINGERPRINT_CHARS = 8
# What is said of a secret whose key is gone; a new one can take its place.
LOST = "unreadable"


@dataclass(frozen=True, slots=True)
class SecretMark:
    """What is shown in place of a secret; no date for one from before dates were kept."""

    fingerprint: str
    set_at: datetime | None


def fingerprint(app: WeChatApp, name: str) -> str | None:
    """Give what tells an app's secret from another, and says nothing of it; None without one.

    It is keyed with the pepper and made of the whole secret: of its last four characters, whoever
    may enter secrets could try all there are, and a short Token would be half told.
    """
    try:
        secret = getattr(app, name)
    except SealBroken:
        return LOST
    if secret is None:
        return None
    hashed = keyring().blind_index(secret, f"secrets:{app.appid}:{name}")
    return hashed.hex()[:FINGERPRINT_CHARS]


def mark_of(app: WeChatApp, name: str) -> SecretMark | None:
    """Show that a secret is there; None without one."""
    shown = fingerprint(app, name)
    return SecretMark(shown, getattr(app, SECRETS[name])) if shown else None


def put_secrets(
    app: WeChatApp, secrets: Mapping[str, str | None]
) -> dict[str, dict[str, str | None]]:
    """Put secrets in their places, or take them out; tell before and after for the audit trail."""
    before = {name: fingerprint(app, name) for name in secrets}
    for name, secret in secrets.items():
        setattr(app, name, secret)
        setattr(app, SECRETS[name], None if secret is None else now())
    return {"before": before, "after": {name: fingerprint(app, name) for name in secrets}}
