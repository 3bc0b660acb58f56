"""New settings for a production deployment: fresh secrets, and the text of an `.env` file.

systemd, Docker and a shell read `.env` files in different ways. A value without blanks, quotes and
backslashes has the same meaning in all three.
"""

import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.database_readers import PLACEHOLDER
from config.secret_files import SECRETS, SUFFIX

PLACEHOLDER_URL = f"postgresql://wxpass:{PLACEHOLDER}@db.example.com/wxpass?sslmode=verify-full"
# The same for systemd, Docker and a shell.
PLAIN = re.compile(r"[A-Za-z0-9_.,:/@?=%+~\[\]-]*")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the file, with comments. One that is not active is commented out."""

    name: str
    value: str
    english: str
    chinese: str
    is_active: bool = True


def new_secrets(key_id: str = "k1") -> dict[str, str]:
    """Return new values of the secrets that production requires, except DATABASE_URL."""
    private_key = Ed25519PrivateKey.generate()
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "WXPASS_KEYS": f"{key_id}:{b64encode(secrets.token_bytes(32)).decode()}",
        "WXPASS_PEPPER": secrets.token_urlsafe(48),
        "JWT_PRIVATE_KEY": pem.decode(),
    }


def new_settings(database_url: str | None, hosts: str = "") -> list[Setting]:
    """Return the settings of a new production deployment, with fresh secrets."""
    fresh = new_secrets()
    return [
        Setting("WXPASS_ENV", "production", "", ""),
        _database_url(database_url),
        Setting(
            "WXPASS_KEYS",
            fresh["WXPASS_KEYS"],
            "Keep a copy of the next three in another place. Without them, data is lost.",
            "请在其他地方保存以下三项的副本，丢失即丢失数据。",
        ),
        Setting("WXPASS_PEPPER", fresh["WXPASS_PEPPER"], "", ""),
        Setting("JWT_PRIVATE_KEY", fresh["JWT_PRIVATE_KEY"], "", ""),
        Setting(
            "ALLOWED_HOSTS",
            hosts or "login.example.com",
            "Host names of the console.",
            "控制台的主机名。",
            bool(hosts),
        ),
        *_OPTIONAL,
    ]


_OPTIONAL = (
    Setting(
        "TRUSTED_PROXIES",
        "1",
        "The number of reverse proxies in front of the service, or their networks.",
        "服务前面反向代理的数量，或这些代理的网段。",
        is_active=False,
    ),
    Setting(
        "GUNICORN_BIND",
        "0.0.0.0:8000",
        "The default is 127.0.0.1:8000. A container needs all addresses.",
        "默认为 127.0.0.1:8000。在容器中须监听所有地址。",
        is_active=False,
    ),
    Setting(
        "METRICS_BIND",
        "127.0.0.1:9464",
        "Metrics for Prometheus. Do not make this port public.",
        "供 Prometheus 抓取的指标端口，请勿对外开放。",
        is_active=False,
    ),
    Setting(
        "RATE_LIMIT_STORAGE_URL",
        "redis://127.0.0.1:6379/0",
        "Redis or Valkey, to count failed attempts for all processes.",
        "Redis 或 Valkey，统一统计所有进程的失败次数。",
        is_active=False,
    ),
)


def _database_url(url: str | None) -> Setting:
    if url is None:
        return Setting(
            "DATABASE_URL",
            PLACEHOLDER_URL,
            f"Replace {PLACEHOLDER} and the address. The start fails until then.",
            f"请替换 {PLACEHOLDER} 和地址，否则无法启动。",
        )
    return Setting("DATABASE_URL", url, "", "")


def env_file(settings: list[Setting], paths: Mapping[str, str] | None = None) -> str:
    """Return the text of an `.env` file. `paths` are those of the settings that are in files."""
    lines = [
        "# Settings of wxpass. Every process needs the same ones. Keep this file secret.",
        "# wxpass 的配置，所有进程须使用相同的配置。请妥善保管本文件。",
        "# docs/configuration.md · docs/configuration.zh-CN.md",
    ]
    for setting in settings:
        path = (paths or {}).get(setting.name)
        comments = [text for text in (setting.english, setting.chinese) if text]
        lines += ["", *(f"# {text}" for text in comments)] if comments else []
        name, value = setting.name, one_line(setting.name, setting.value)
        line = f"{name}{SUFFIX}={quoted(path)}" if path else f"{name}={quoted(value)}"
        lines.append(line if setting.is_active else f"#{line}")
    return "\n".join(lines) + "\n"


def secret_contents(settings: list[Setting]) -> dict[str, str]:
    """Return the content of a file for each active secret."""
    active = {one.name: one.value for one in settings if one.is_active}
    return {name: active[name].rstrip("\n") + "\n" for name in SECRETS if name in active}


def one_line(name: str, value: str) -> str:
    """Return a value without line breaks. Of a private key, only the base64 text is needed."""
    if name != "JWT_PRIVATE_KEY":
        return value
    return "".join(line for line in value.splitlines() if not line.startswith("-----"))


def quoted(value: str) -> str:
    """Return the value as an `.env` file needs it. Raise ValueError if no spelling fits.

    Docker keeps the quotes. wxpass removes them from database URLs.
    """
    if PLAIN.fullmatch(value):
        return value
    if re.search(r"['\\\s\x00-\x1f]", value):
        raise ValueError("a quote, a backslash or a blank")
    return f"'{value}'"
