"""The standard variables of OpenTelemetry, and LOG_SUCCESS_SAMPLE."""

import pytest

from config import ConfigError, load_config, tracing_readers
from config.tracing_readers import INSTALL, Tracing
from tests.config.test_settings import SECRET, environ

URL = "http://collector.internal:4318"
ALWAYS = Tracing("always_on", 1.0, follows_parent=False)


def test_no_traces_are_sent_by_default() -> None:
    assert load_config(environ()).tracing is None


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
)
def test_an_endpoint_enables_traces_and_the_default_sampler_records_all(name: str) -> None:
    assert load_config(environ(**{name: URL})).tracing == ALWAYS


@pytest.mark.parametrize(
    "off",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_can_be_disabled_although_an_endpoint_is_set(
    off: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing_readers, "find_spec", lambda _: None)
    assert load_config(environ(OTEL_EXPORTER_OTLP_ENDPOINT=URL, **off)).tracing is None


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("always_on", None, ALWAYS),
        ("always_off", None, Tracing("always_off", 1.0, follows_parent=False)),
        ("traceidratio", "0.1", Tracing("traceidratio", 0.1, follows_parent=False)),
        ("traceidratio", None, Tracing("traceidratio", 1.0, follows_parent=False)),
        ("parentbased_always_on", None, Tracing("always_on", 1.0, follows_parent=True)),
        ("parentbased_traceidratio", "0", Tracing("traceidratio", 0.0, follows_parent=True)),
    ],
)
def test_the_samplers_of_opentelemetry_are_read(
    name: str, argument: str | None, expected: Tracing
) -> None:
    settings = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}
    found = load_config(environ(OTEL_EXPORTER_OTLP_ENDPOINT=URL, **settings)).tracing
    assert found == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"user:{SECRET}@collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"grpc://user:{SECRET}@collector:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER_ARG", "10%"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
    ],
)
def test_an_invalid_variable_stops_the_start_and_its_value_is_not_shown(
    name: str, value: str
) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_TRACES_SAMPLER": "traceidratio"}
    with pytest.raises(ConfigError) as caught:
        load_config(environ(**settings | {name: value}))
    assert caught.value.name == name
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry"])
def test_missing_packages_stop_the_start_and_the_message_says_how_to_install_them(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> object:
        if missing == "opentelemetry":
            raise ModuleNotFoundError(name)
        return None if name.startswith(missing) else object()

    monkeypatch.setattr(tracing_readers, "find_spec", find)
    with pytest.raises(ConfigError) as caught:
        load_config(environ(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=URL))
    assert caught.value.name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    assert INSTALL == "pip install --require-hashes -r requirements-tracing.txt"
    assert INSTALL in str(caught.value)
    assert "未安装" in str(caught.value)


@pytest.mark.parametrize(("text", "share"), [("", 1.0), ("1", 1.0), ("0", 0.0), (".05", 0.05)])
def test_log_success_sample_is_a_number_from_0_to_1(text: str, share: float) -> None:
    assert load_config(environ(LOG_SUCCESS_SAMPLE=text)).log_success_sample == share


@pytest.mark.parametrize("text", ["2", "1.01", "-1", "10%", ".", "nan", "1e-3"])
def test_another_log_success_sample_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environ(LOG_SUCCESS_SAMPLE=text))
    assert caught.value.name == "LOG_SUCCESS_SAMPLE"
