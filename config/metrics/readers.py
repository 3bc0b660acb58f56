"""Read and validate the settings of the metrics."""

import re
from collections.abc import Mapping

from config.readers import read_number, read_text, refuse, split_url


def read_metrics_bind(environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Read METRICS_BIND, the host and the port of `/metrics`, or None if it is not served."""
    text = read_text(environ, "METRICS_BIND")
    if not text:
        return None
    parts = split_url(f"//{text}")
    is_plain = parts is not None and parts.netloc == text and "@" not in text
    if not parts or not is_plain or not parts.port or not re.fullmatch(r"\S+:[0-9]+", text):
        refuse(
            "METRICS_BIND",
            "must look like 127.0.0.1:9464 or [::1]:9464",
            "应形如 127.0.0.1:9464 或 [::1]:9464",
        )
    if not parts.hostname:
        refuse("METRICS_BIND", "has no host", "缺少主机地址")
    return parts.hostname, parts.port


def read_metrics_apps(environ: Mapping[str, str]) -> int:
    """Read METRICS_APPS, the number of apps that metrics name."""
    return read_number(environ, "METRICS_APPS", 100, range(1, 10_001))


def read_multiprocess_folder(environ: Mapping[str, str]) -> str | None:
    """Read PROMETHEUS_MULTIPROC_DIR, a folder for the values of the processes, or None."""
    return read_text(environ, "PROMETHEUS_MULTIPROC_DIR") or None
