"""Storing the secrets of apps and claims, and showing them as a fingerprint and a date."""

from dataclasses import dataclass
from datetime import datetime

from app.clock import now
from app.keyring import SealBroken, keyring
from app.models import AppClaim, WeChatApp
from app.models.columns import Sealed
from app.services.apps.changes import SecretChanges

# The secrets of an app or claim, each with the column that holds the time of its last change.
SECRETS = {
    "secret": "secret_set_at",
    "next_secret": "next_secret_set_at",
    "push_token": "push_secrets_set_at",
    "encoding_aes_key": "push_secrets_set_at",
}
FINGERPRINT_CHARS = 8
# Shown for a secret that cannot be decrypted because its key is missing. It can be replaced.
LOST = "unreadable"


@dataclass(frozen=True, slots=True)
class SecretMark:
    """The fingerprint of a secret, and when it was set, or None if that was not recorded."""

    fingerprint: str
    set_at: datetime | None


def fingerprint(app: WeChatApp | AppClaim, name: str) -> str | None:
    """Return the fingerprint of a secret of an app or claim, or None if the secret is not set."""
    try:
        secret = getattr(app, name)
    except SealBroken:
        return LOST
    return None if secret is None else _fingerprint(app.appid, name, secret)


def _fingerprint(appid: str, name: str, secret: str) -> str:
    """Return the first characters of a hash of the secret, keyed with the pepper.

    Showing the last four characters would be unsafe: an operator who may enter secrets could try
    all combinations, and four characters can be more than half of a Token.
    """
    hashed = keyring().blind_index(secret, f"secrets:{appid}:{name}")
    return hashed.hex()[:FINGERPRINT_CHARS]


def mark_of(
    model: type[WeChatApp | AppClaim],
    name: str,
    sealed: str | None,
    set_at: datetime | None,
    appid: str,
    **row: object,
) -> SecretMark | None:
    """Return the mark of an encrypted secret, or None if `sealed` is None.

    `row` holds the columns, besides the appid, that the ciphertext is bound to.
    """
    if sealed is None:
        return None
    one: Sealed = getattr(model, name)
    try:
        secret = one.open(sealed, model, appid=appid, **row)
    except SealBroken:
        return SecretMark(LOST, set_at)
    return SecretMark(_fingerprint(appid, name, secret), set_at)


def put_secrets(
    app: WeChatApp | AppClaim, changes: SecretChanges
) -> dict[str, dict[str, str | None]]:
    """Store or remove secrets. Return their fingerprints before and after, for the audit log."""
    secrets = changes.given()
    before = {name: fingerprint(app, name) for name in secrets}
    for name, secret in secrets.items():
        setattr(app, name, secret)
        setattr(app, SECRETS[name], None if secret is None else now())
    return {"before": before, "after": {name: fingerprint(app, name) for name in secrets}}
