"""Read and validate single settings from the environment.

No message contains the value of a secret. Errors that may quote one are suppressed (`from None`).
"""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, NoReturn, Self, cast
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Network = IPv4Network | IPv6Network
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?")
KEY_ID = re.compile(r"[a-z0-9_-]{1,16}")
KEY_BYTES = 32
PEPPER_CHARACTERS = 32

# Shell commands that set a valid value, shown in the error about the setting.
MAKE = {
    "DATABASE_URL": "export DATABASE_URL=postgresql://wxpass:password@localhost/wxpass",
    "WXPASS_KEYS": """export WXPASS_KEYS="k1:$(python3 -c 'import base64, os; """
    """print(base64.b64encode(os.urandom(32)).decode())')" """.rstrip(),
    "WXPASS_PEPPER": """export WXPASS_PEPPER="$(python3 -c 'import secrets; """
    """print(secrets.token_urlsafe(48))')" """.rstrip(),
    "JWT_PRIVATE_KEY": 'export JWT_PRIVATE_KEY="$(openssl genpkey -algorithm ed25519)"',
}


class ConfigError(Exception):
    """A setting is missing or invalid. The message names it, the reason and a correct value."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.why = why
        self.parts: tuple[ConfigError, ...] = (self,)

    @classmethod
    def together(cls, errors: Sequence[Self]) -> Self:
        """Return one error for several. A single error is returned unchanged."""
        if len(errors) == 1:
            return errors[0]
        names = ", ".join(error.name for error in errors)
        several = cls(names, "\n" + "\n".join(f"- {error}" for error in errors))
        several.parts = tuple(errors)
        return several


def read_environment_name(environ: Mapping[str, str]) -> Literal["development", "production"]:
    """Read WXPASS_ENV. The default is development."""
    name = read_text(environ, "WXPASS_ENV") or "development"
    if name not in ("development", "production"):
        refuse(
            "WXPASS_ENV",
            f"is {name!r}; it must be development or production",
            "只能是 development 或 production",
        )
    return cast(Literal["development", "production"], name)


def read_number(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    """Read a whole number within `allowed`."""
    text = read_text(environ, name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) not in allowed:
        low, high = allowed[0], allowed[-1]
        refuse(
            name,
            f"is {text!r}; it must be a whole number from {low} to {high}",
            f"必须是 {low} 到 {high} 之间的整数",
        )
    return int(text)


def read_share(environ: Mapping[str, str], name: str, default: float) -> float:
    """Read a share, a decimal number from 0 to 1."""
    text = read_text(environ, name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{0,3}(\.[0-9]{0,9})?", text) or text == "." or float(text) > 1:
        refuse(
            name,
            f"is {text!r}; it must be a number from 0 to 1, such as 0.1",
            "必须是 0 到 1 之间的数字，例如 0.1",
        )
    return float(text)


def read_rate_limit_storage_url(environ: Mapping[str, str]) -> str | None:
    """Read RATE_LIMIT_STORAGE_URL: a Redis or Valkey server, or None."""
    text = read_text(environ, "RATE_LIMIT_STORAGE_URL")
    if text and not re.fullmatch(r"rediss?://\S+", text):
        refuse(
            "RATE_LIMIT_STORAGE_URL",
            "is not redis://host:port/number or rediss://host:port/number",
            "不是 redis://主机:端口/编号 或 rediss://主机:端口/编号",
        )
    return text or None


def read_worker_connections(environ: Mapping[str, str]) -> int:
    """Read how many requests a gunicorn worker accepts at the same time."""
    return read_number(environ, "GUNICORN_WORKER_CONNECTIONS", 1000, range(1, 100_001))


def read_failed_codes_per_minute(environ: Mapping[str, str]) -> int:
    """Read FAILED_CODES_PER_MINUTE, the rejected codes that a device may send from an address."""
    return read_number(environ, "FAILED_CODES_PER_MINUTE", 30, range(1, 10_001))


def read_session_cache_size(environ: Mapping[str, str]) -> int:
    """Read SESSION_CACHE_SIZE, the number of sessions that a process caches."""
    return read_number(environ, "SESSION_CACHE_SIZE", 65_536, range(1, 10_000_001))


def read_trusted_proxies(environ: Mapping[str, str]) -> int | tuple[Network, ...]:
    """Read TRUSTED_PROXIES: the number of proxies in front, or their networks."""
    text = read_text(environ, "TRUSTED_PROXIES")
    if re.fullmatch(r"[0-9]*", text):
        return read_number(environ, "TRUSTED_PROXIES", 0, range(11))
    try:
        return tuple(ip_network(one.strip()) for one in text.split(","))
    except ValueError as error:
        refuse(
            "TRUSTED_PROXIES",
            f"{error}; it must be a number from 0 to 10, or networks such as 10.0.0.0/8,::1",
            "必须是 0 到 10 的数字，或以逗号分隔的网段，例如 10.0.0.0/8,::1",
        )


def read_allowed_hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Read ALLOWED_HOSTS, host names separated by commas. The default is any host.

    A name that begins with a dot matches all of its subdomains.
    """
    names = [one.strip().lower() for one in read_text(environ, "ALLOWED_HOSTS").split(",")]
    names = [one for one in names if one]
    for name in names:
        if not HOST.fullmatch(name):
            refuse(
                "ALLOWED_HOSTS",
                f"{name!r} is not a host; write for example login.example.com,.example.cn",
                "请填写主机名，以逗号分隔，例如 login.example.com,.example.cn",
            )
    return tuple(names)


def read_keys(environ: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    """Read the key ring WXPASS_KEYS, `id:base64key,...`; the first key encrypts."""
    entries = required(environ, "WXPASS_KEYS").split(",")
    keys = tuple(_key(number, entry.strip()) for number, entry in enumerate(entries, 1))
    if len(dict(keys)) < len(keys):
        refuse("WXPASS_KEYS", "has two keys of the same id", "有两个密钥使用了相同的 id")
    return keys


def read_pepper(environ: Mapping[str, str]) -> bytes:
    """Read WXPASS_PEPPER, which keys the blind index of phone numbers."""
    pepper = required(environ, "WXPASS_PEPPER")
    if len(pepper) < PEPPER_CHARACTERS:
        refuse(
            "WXPASS_PEPPER",
            f"is shorter than {PEPPER_CHARACTERS} characters",
            f"长度不足 {PEPPER_CHARACTERS} 个字符",
        )
    return pepper.encode()


def read_private_key(environ: Mapping[str, str]) -> str:
    r"""Read JWT_PRIVATE_KEY in PEM. `\n` can replace a line break, for .env files.

    The base64 text alone, which has no blanks, is accepted too.
    """
    pem = required(environ, "JWT_PRIVATE_KEY").replace("\\n", "\n") + "\n"
    if re.fullmatch(r"[A-Za-z0-9+/]+=*\n", pem):
        pem = f"-----BEGIN PRIVATE KEY-----\n{pem}-----END PRIVATE KEY-----\n"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    p256 = isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    if not p256 and not isinstance(key, Ed25519PrivateKey):
        refuse(
            "JWT_PRIVATE_KEY",
            "is not an unencrypted Ed25519 or EC P-256 private key in PEM",
            "不是未加密的 Ed25519 或 EC P-256 PEM 私钥",
        )
    return pem


def algorithm_of(pem: str) -> Literal["EdDSA", "ES256"]:
    """Return the JWT algorithm of a private key that `read_private_key` accepted."""
    key = load_pem_private_key(pem.encode(), password=None)
    return "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"


def read_issuer(environ: Mapping[str, str]) -> str:
    """Read JWT_ISSUER, the `iss` claim by which back ends identify this service's JWTs."""
    issuer = read_text(environ, "JWT_ISSUER") or "wxpass"
    if not re.fullmatch(r"[!-~]{1,200}", issuer):
        refuse(
            "JWT_ISSUER",
            "is not 1 to 200 ASCII characters without blanks",
            "须为 1 到 200 个不含空格的 ASCII 字符",
        )
    return issuer


def refuse(name: str, english: str, chinese: str, make: str | None = None) -> NoReturn:
    """Raise the ConfigError for `name`, with a command that sets a valid value, if there is one."""
    make = make or MAKE.get(name)
    make = f"\n    {make}" if make else ""
    raise ConfigError(name, f"{english}. / {chinese}。{make}") from None


def read_text(environ: Mapping[str, str], name: str) -> str:
    """Read a variable without the blanks around it. An empty value counts as unset."""
    return environ.get(name, "").strip()


def required(environ: Mapping[str, str], name: str) -> str:
    """Read a variable. Raise ConfigError if it is unset."""
    return read_text(environ, name) or refuse(name, "is not set", "未设置")


def split_url(url: str) -> SplitResult | None:
    """Return a URL's parts, or None if the URL or its port is invalid."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if re.search(r"[\s\x00-\x1f]", url) else parts


def _key(number: int, entry: str) -> tuple[str, bytes]:
    key_id, separator, encoded = entry.partition(":")
    if not separator or not KEY_ID.fullmatch(key_id):
        refuse(
            "WXPASS_KEYS",
            f"entry {number} is not id:base64key with an id of 1 to 16 of a-z 0-9 _ -",
            f"第 {number} 项不是 id:base64key 格式（id 为 1 到 16 个 a-z 0-9 _ - 字符）",
        )
    try:
        key = b64decode(encoded.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        refuse(
            "WXPASS_KEYS",
            f"entry {number} does not hold {KEY_BYTES} bytes in base64",
            f"第 {number} 项不是 {KEY_BYTES} 字节密钥的 base64",
        )
    return key_id, key
