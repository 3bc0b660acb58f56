"""Read and validate the settings of the connection to WeChat."""

import ssl
from collections.abc import Mapping

from config.readers import read_number, read_text, refuse, split_url


def read_wechat_api_base_url(environ: Mapping[str, str]) -> str:
    """Read WECHAT_API_BASE_URL. Production requires https, because AppSecrets are sent to it."""
    url = read_text(environ, "WECHAT_API_BASE_URL") or "https://api.weixin.qq.com"
    parts = split_url(url)
    plain = parts and not (parts.query or parts.fragment or "@" in parts.netloc)
    known = parts and parts.scheme in ("http", "https") and _is_host(parts.hostname)
    if not parts or not plain or not known or not url.isascii() or url.endswith("/"):
        refuse(
            "WECHAT_API_BASE_URL",
            "must look like https://api.weixin.qq.com, with no slash at its end",
            "应形如 https://api.weixin.qq.com，末尾不带斜杠",
        )
    if read_text(environ, "WXPASS_ENV") == "production" and parts.scheme != "https":
        refuse("WECHAT_API_BASE_URL", "must be https in production", "生产环境必须使用 https")
    return url


def read_wechat_proxy(environ: Mapping[str, str]) -> str | None:
    """Read WECHAT_PROXY, the HTTP proxy for calls to WeChat, or None."""
    url = read_text(environ, "WECHAT_PROXY")
    if not url:
        return None
    parts = split_url(url)
    plain = parts and not (parts.path.strip("/") or parts.query or parts.fragment)
    known = parts and parts.scheme == "http" and _is_host(parts.hostname) and parts.port
    if not parts or not plain or not known:
        refuse(
            "WECHAT_PROXY",
            "must look like http://proxy.internal:3128 or http://user:password@proxy.internal:3128",
            "应形如 http://proxy.internal:3128 或 http://用户名:密码@proxy.internal:3128",
        )
    return url


def read_wechat_ca_file(environ: Mapping[str, str]) -> str | None:
    """Read WECHAT_CA_FILE, a file with trusted certificates in PEM format, or None."""
    path = read_text(environ, "WECHAT_CA_FILE")
    if not path:
        return None
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one, too
        refuse(
            "WECHAT_CA_FILE",
            f"cannot be used ({error.strerror}); it must be a file with certificates in PEM format",
            "无法使用；应为 PEM 格式的证书文件",
        )
    return path


def read_wechat_calls_per_app(environ: Mapping[str, str]) -> int:
    """Read WECHAT_CALLS_PER_APP, the calls to WeChat in flight per app and process."""
    return read_number(environ, "WECHAT_CALLS_PER_APP", 100, range(1, 10_001))


def _is_host(name: str | None) -> bool:
    """Return whether a name can be looked up: it has no empty and no overlong label."""
    try:
        return bool(name and name.encode("idna"))
    except UnicodeError:
        return False
