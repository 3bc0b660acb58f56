"""The addresses that the service and its metrics listen on."""

import errno
import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from app.doctor.findings import Deployment, Finding, error, ok, warning

PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")
SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Binding:
    """An address to listen on. A Unix socket has no port."""

    host: str
    port: int | None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Return whether only programs on this machine can connect."""
        if self.port is None or self.host == "localhost":
            return True
        with suppress(ValueError):
            return ip_address(self.host.strip("[]")).is_loopback
        return False

    @property
    def to_connect(self) -> str:
        """Return the host to connect to. A service on all addresses is reached on this machine."""
        return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "[::]": "::1"}.get(  # noqa: S104
            self.host, self.host.strip("[]")
        )


def binding_of(deployment: Deployment) -> Binding:
    """Return the address of the service, as config/gunicorn.conf.py chooses it."""
    bind = deployment.environ.get("GUNICORN_BIND", "").strip()
    return parse_binding(bind) or Binding("127.0.0.1", deployment.settings.port)


def parse_binding(text: str) -> Binding | None:
    """Return the address in GUNICORN_BIND or METRICS_BIND, or None if there is none."""
    if text.startswith("unix:"):
        return Binding(text, None)
    found = PORT.fullmatch(text)
    return Binding(found["host"] or "0.0.0.0", int(found["port"])) if found else None  # noqa: S104


def check_service_port(deployment: Deployment) -> Iterator[Finding]:
    """Check that the port of the service is free, or that wxpass has it."""
    binding = binding_of(deployment)
    if binding.port is None:
        return
    yield _finding("service", binding, "/healthz", _is_health)


def check_metrics_port(deployment: Deployment) -> Iterator[Finding]:
    """Check the port of the metrics: free or taken by wxpass, and not public."""
    binding = parse_binding(deployment.environ.get("METRICS_BIND", "").strip())
    if binding is None or binding.port is None:
        return
    yield _finding("metrics", binding, "/metrics", lambda body: b"wxpass_" in body)
    if _is_public(binding):
        yield warning(
            "metrics_public",
            (
                f"METRICS_BIND={binding} can be reached from every network of this machine. "
                "Metrics name mini-programs and failures.",
                f"METRICS_BIND={binding} 可从本机的所有网络访问，指标中含有小程序和失败情况。",
            ),
            (
                "Bind it to 127.0.0.1 or a private address, or admit Prometheus only.",
                "请绑定到 127.0.0.1 或内网地址，或用防火墙仅放行 Prometheus。",
            ),
        )


def _is_public(binding: Binding) -> bool:
    with suppress(ValueError):
        address = ip_address(binding.host.strip("[]"))
        return address.is_unspecified or address.is_global
    return not binding.is_local


def _finding(what: str, binding: Binding, path: str, is_ours: object) -> Finding:
    answer = _ask(binding, path)
    if answer is None:
        return _of_free_port(what, binding)
    if callable(is_ours) and is_ours(answer):
        return ok(
            f"{what}_port_serves",
            f"wxpass answers on {binding}.",
            f"wxpass 正在 {binding} 提供服务。",
        )
    return error(
        f"{what}_port_taken",
        (f"Another program answers on {binding}.", f"{binding} 已被其他程序占用。"),
        (
            "Stop that program, or choose another port: PORT, GUNICORN_BIND or METRICS_BIND.",
            "请停止该程序，或通过 PORT、GUNICORN_BIND 或 METRICS_BIND 更换端口。",
        ),
    )


def _of_free_port(what: str, binding: Binding) -> Finding:
    host = binding.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, binding.port))
    except (OSError, OverflowError) as refused:
        reason = errno.errorcode.get(getattr(refused, "errno", 0) or 0, type(refused).__name__)
        return error(
            f"{what}_port_unusable",
            (f"{binding} cannot be used: {reason}.", f"无法使用 {binding}：{reason}。"),
            (
                "Use an address of this machine, and a port above 1023.",
                "请使用本机地址和大于 1023 的端口。",
            ),
        )
    return ok(
        f"{what}_port_free",
        f"{binding} is free; nothing runs there.",
        f"{binding} 空闲，尚未运行。",
    )


def _is_health(body: bytes) -> bool:
    with suppress(ValueError, AttributeError):
        return "version" in json.loads(body)
    return False


def _ask(binding: Binding, path: str) -> bytes | None:
    """Return the body of a response, empty for one that is not HTTP, or None without a listener."""
    connection = http.client.HTTPConnection(binding.to_connect, binding.port, timeout=SECONDS)
    try:
        connection.connect()
    except OSError:
        return None
    try:
        connection.request("GET", path)
        return connection.getresponse().read(1 << 20)
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()
