"""The addresses of `make run`, and checks that they are free."""

import errno
import re
import socket
from collections.abc import MutableMapping
from urllib.parse import urlsplit

from config.development.children import RunFailed
from config.readers import ConfigError, read_number


def service_address(environ: MutableMapping[str, str]) -> tuple[str, int]:
    """Return the host and port that config/gunicorn.conf.py binds. Raise ConfigError."""
    bind = environ.get("GUNICORN_BIND", "").strip()
    if not bind:
        return "127.0.0.1", read_number(environ, "PORT", 8000, range(1, 65536))
    found = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})", bind)
    if not found:
        raise ConfigError(
            "GUNICORN_BIND", "must be host:port for make run. / make run 要求 host:port 格式。"
        )
    return found[1], int(found[2])


def check_free(variable: str, host: str, port: int) -> None:
    """Raise RunFailed, with the variable to change, if the port cannot be bound."""
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family) as listener:
        # As gunicorn does, so that closing connections of a stopped service do not block the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), port))
        except (OSError, OverflowError) as error:
            raise RunFailed(_explain(variable, port, error)) from None


def is_local(url: str) -> bool:
    """Return whether the host of a URL is this machine."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _explain(variable: str, port: int, error: OSError | OverflowError) -> str:
    taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    english, chinese = (
        ("is taken", "已被占用") if taken else (f"can't be used ({error})", "无法使用")
    )
    other = port + 10 if port < 65000 else 8010
    return (
        f"{variable}: port {port} {english}. Choose another: `{variable}={other} make run`\n"
        f"端口 {port} {chinese}，请换一个：`{variable}={other} make run`"
    )
