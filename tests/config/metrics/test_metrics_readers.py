"""METRICS_BIND and METRICS_APPS."""

import pytest

from config.metrics.readers import read_metrics_apps, read_metrics_bind
from config.readers import ConfigError


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("", None),
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        (" 10.0.0.5:1 ", ("10.0.0.5", 1)),
        ("[::1]:9464", ("::1", 9464)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_metrics_bind_is_a_host_and_a_port(text: str, bind: tuple[str, int] | None) -> None:
    assert read_metrics_bind({"METRICS_BIND": text}) == bind


@pytest.mark.parametrize(
    "text",
    [
        *("9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x"),
        *("http://127.0.0.1:9464", "127.0.0.1:9464/metrics", "me@127.0.0.1:9464", "a b:1"),
        *("unix:/run/metrics", "::1:9464", "[::1:9464", "127.0.0.1:9464?x"),
    ],
)
def test_other_values_are_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="METRICS_BIND"):
        read_metrics_bind({"METRICS_BIND": text})


def test_number_of_named_apps_is_bounded() -> None:
    assert read_metrics_apps({}) == 100
    with pytest.raises(ConfigError, match="METRICS_APPS"):
        read_metrics_apps({"METRICS_APPS": "10001"})
