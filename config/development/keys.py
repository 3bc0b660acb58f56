"""Generated secrets for development, stored in `var/secrets.json`."""

import json
import os
import secrets
from pathlib import Path

from config.new_settings import new_secrets
from config.readers import ConfigError


def load_or_make_keys(var: Path) -> dict[str, str]:
    """Return the stored settings by name. The first process creates them for all.

    Raises ConfigError if they cannot be read.
    """
    kept = var / "secrets.json"
    if not kept.exists():
        _keep(kept, json.dumps(new_secrets("dev"), indent=2))
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
