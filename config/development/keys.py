"""Generated secrets for development, stored in `var/secrets.json`."""

import json
import os
import secrets
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.readers import ConfigError


def load_or_make_keys(var: Path) -> dict[str, str]:
    """Return the stored settings by name. The first process creates them for all.

    Raises ConfigError if they cannot be read.
    """
    kept = var / "secrets.json"
    if not kept.exists():
        _keep(kept, json.dumps(_make(), indent=2))
    try:
        text = kept.read_text()
        return {str(name): str(value) for name, value in json.loads(text).items()}
    except (OSError, ValueError, AttributeError):
        raise ConfigError(
            str(kept),
            "cannot be read. Restore its permissions or, if the encrypted data in the development "
            "database may be lost, remove it. / "
            "无法读取；若开发库中的加密数据可以丢弃，请删除该文件。",
        ) from None


def _keep(kept: Path, text: str) -> None:
    """Create the file atomically, unless another process has created it."""
    draft = kept.with_name(f".secrets-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(draft, kept)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _make() -> dict[str, str]:
    private_key = Ed25519PrivateKey.generate()
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "WXPASS_KEYS": f"dev:{b64encode(secrets.token_bytes(32)).decode()}",
        "WXPASS_PEPPER": secrets.token_urlsafe(48),
        "JWT_PRIVATE_KEY": pem.decode(),
    }
