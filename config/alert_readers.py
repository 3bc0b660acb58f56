"""Read and validate the settings of alerts: the mail server and the address of the console."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote

from config.readers import read_text, refuse, split_url

PORTS = {"smtps": 465, "smtp": 587}
EXAMPLE = "smtps://user:password@smtp.example.com:465"
ADDRESS = re.compile(r"[\x21-\x7e]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server of SMTP_URL. With `smtps` the connection begins with TLS."""

    host: str
    port: int
    implicit_tls: bool
    user: str | None
    password: str | None = field(repr=False)


def read_smtp(environ: Mapping[str, str]) -> Smtp | None:
    """Read SMTP_URL, or None without a mail server."""
    url = read_text(environ, "SMTP_URL")
    if not url:
        return None
    parts = split_url(url)
    if not parts or parts.scheme not in PORTS or not re.fullmatch(r"[\x21-\x7e]+", url):
        _refuse()
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        _refuse()
    if (parts.username is None) != (parts.password is None):
        _refuse()
    return Smtp(
        parts.hostname,
        parts.port or PORTS[parts.scheme],
        parts.scheme == "smtps",
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def _refuse() -> NoReturn:
    refuse(
        "SMTP_URL",
        "must look like smtps://user:password@host:465 (TLS) or smtp://user:password@host:587 "
        "(STARTTLS), with special characters of user and password percent-encoded",
        "应形如 smtps://用户名:密码@主机:465（TLS）或 smtp://用户名:密码@主机:587（STARTTLS），"
        "用户名与密码中的特殊字符须按百分号编码",
        f"export SMTP_URL={EXAMPLE}",
    )


def read_smtp_from(environ: Mapping[str, str]) -> str | None:
    """Read SMTP_FROM, the sender of e-mail. It is required with SMTP_URL."""
    address = read_text(environ, "SMTP_FROM")
    if not address and not read_text(environ, "SMTP_URL"):
        return None
    if not ADDRESS.fullmatch(address) or re.search(r"[<>,;:\"()\[\]\\]", address):
        refuse(
            "SMTP_FROM",
            "is required with SMTP_URL and must be an address such as wxpass@example.com",
            "与 SMTP_URL 一起设置，须为邮箱地址，例如 wxpass@example.com",
        )
    return address


def read_public_url(environ: Mapping[str, str]) -> str | None:
    """Read WXPASS_PUBLIC_URL, the address of this service for links in alerts, or None."""
    url = read_text(environ, "WXPASS_PUBLIC_URL")
    if not url:
        return None
    parts = split_url(url)
    is_plain = parts and not (parts.query or parts.fragment or "@" in parts.netloc)
    if not parts or not is_plain or parts.scheme not in ("http", "https") or not parts.hostname:
        refuse(
            "WXPASS_PUBLIC_URL",
            "must look like https://login.example.com",
            "应形如 https://login.example.com",
        )
    return url.rstrip("/")
