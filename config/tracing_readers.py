"""Read and validate the settings of traces: the standard variables of OpenTelemetry.

The exporter reads the others itself, such as OTEL_SERVICE_NAME and OTEL_EXPORTER_OTLP_HEADERS. No
message contains an endpoint, because it may contain a password.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, cast

from config.readers import read_share, read_text, refuse, split_url

Root = Literal["always_on", "always_off", "traceidratio"]

PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
INSTALL = "pip install --require-hashes -r requirements-tracing.txt"
FOLLOWS = "parentbased_"
SAMPLERS = [
    prefix + root
    for prefix in ("", FOLLOWS)
    for root in ("always_on", "always_off", "traceidratio")
]


@dataclass(frozen=True, slots=True)
class Tracing:
    """The sampler of traces. `follows_parent` is true if callers decide about their own traces."""

    sampler: Root
    ratio: float
    follows_parent: bool


def read_tracing(environ: Mapping[str, str]) -> Tracing | None:
    """Read the settings of traces, or None if no traces are sent.

    Raises ConfigError if traces are to be sent and the packages for it are missing.
    """
    endpoint = _read_endpoint(environ)
    is_disabled = read_text(environ, "OTEL_SDK_DISABLED").lower() == "true"
    exporter = read_text(environ, "OTEL_TRACES_EXPORTER") or "otlp"
    if exporter not in ("otlp", "none"):
        refuse("OTEL_TRACES_EXPORTER", "must be otlp or none", "只能是 otlp 或 none")
    if endpoint is None or is_disabled or exporter == "none":
        return None
    _refuse_other_protocols(environ)
    _refuse_missing_packages(endpoint)
    return _read_sampler(environ)


def _read_endpoint(environ: Mapping[str, str]) -> str | None:
    """Return the name of the variable with the endpoint, or None if neither is set."""
    endpoints = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": read_text(
            environ, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        ),
        "OTEL_EXPORTER_OTLP_ENDPOINT": read_text(environ, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    }
    for name, url in endpoints.items():
        if url:
            parts = split_url(url)
            if not parts or parts.scheme not in ("http", "https") or not parts.hostname:
                refuse(
                    name,
                    "must look like http://collector.internal:4318",
                    "应形如 http://collector.internal:4318",
                )
            return name
    return None


def _refuse_other_protocols(environ: Mapping[str, str]) -> None:
    protocols = {
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": read_text(
            environ, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
        ),
        "OTEL_EXPORTER_OTLP_PROTOCOL": read_text(environ, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    }
    name, protocol = next(((one, text) for one, text in protocols.items() if text), ("", ""))
    if protocol not in ("", "http/protobuf"):
        refuse(
            name,
            "must be http/protobuf, which collectors receive on port 4318",
            "只能是 http/protobuf，collector 通常在 4318 端口接收",
        )


def _refuse_missing_packages(name: str) -> None:
    if not all(_is_installed(package) for package in PACKAGES):
        refuse(
            name,
            "is set, but the packages that send traces are not installed. Install them, or unset "
            "the variable",
            "已设置，但未安装发送追踪数据所需的包。请安装，或取消该变量",
            INSTALL,
        )


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def _read_sampler(environ: Mapping[str, str]) -> Tracing:
    name = read_text(environ, "OTEL_TRACES_SAMPLER") or "always_on"
    if name not in SAMPLERS:
        known = ", ".join(SAMPLERS)
        refuse("OTEL_TRACES_SAMPLER", f"must be one of {known}", f"只能是 {known} 之一")
    root = cast(Root, name.removeprefix(FOLLOWS))
    ratio = read_share(environ, "OTEL_TRACES_SAMPLER_ARG", 1.0) if root == "traceidratio" else 1.0
    return Tracing(root, ratio, follows_parent=name.startswith(FOLLOWS))
