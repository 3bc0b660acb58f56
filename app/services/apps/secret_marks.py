"""An app's secrets as people see them: that one is there, since when, and if it is the same."""

from dataclasses import dataclass
from datetime import datetime

from app.clock import now
from app.keyring import SealBroken, keyring
from app.models import AppClaim, WeChatApp
from app.models.columns import Sealed
from app.services.apps.changes import SecretChanges

# Each secret of an app, and the column that says since when it is there.
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
    """What is shown in place of a secret; no date for one from before dates were kept."""

    fingerprint: str
    set_at: datetime | None


def fingerprint(app: WeChatApp | AppClaim, name: str) -> str | None:
    """Return a fingerprint that differs for each secret, or None without a secret."""
    try:
        secret = getattr(app, name)
    except SealBroken:
        return LOST
    return None if secret is None else _fingerprint(app.appid, name, secret)


def _fingerprint(appid: str, name: str, secret: str) -> str:
    """Hash the whole secret, keyed with the pepper.

    The last four characters would not do: an operator who may enter secrets could try all there
    are, and they are half of a short Token.
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
    """Show the secret that a row of a table holds sealed; None without one.

    `row` is what the ciphertext is bound to beside the appid.
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
