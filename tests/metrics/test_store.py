"""Recording in memory, exported values, and the bound on names of apps."""

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry

from app.metrics import recording
from app.metrics.definitions import (
    CACHES_ON,
    FAILURES,
    HTTP_SECONDS,
    LOGINS,
    OTHER,
    WECHAT_CALLS,
    WECHAT_IN_FLIGHT,
)
from app.metrics.labels import AppLabels, method_label
from app.metrics.store import Store
from tests.metrics.recorded import RecordedMetrics

LABELS = ("/v1/verify", "GET", "204")


def test_nothing_is_recorded_while_metrics_are_off() -> None:
    recording.switch(on=False)
    recording.count(LOGINS, "wx1", "code", "ok")
    recording.observe(HTTP_SECONDS, 1.0, *LABELS)
    assert recording.take(10) == []


def test_oldest_events_are_dropped_above_the_bound(recorded: RecordedMetrics) -> None:
    for number in range(recording.MOST_EVENTS + 5):
        recording.observe(HTTP_SECONDS, float(number), *LABELS)
    assert recording.take(1) == [(HTTP_SECONDS, LABELS, 5.0)]
    assert len(recording.take(recording.MOST_EVENTS)) == recording.MOST_EVENTS - 1


def test_durations_are_exported_as_observe_of_prometheus_client_exports_them() -> None:
    """`Store` writes private attributes of the histogram."""
    durations = [0.0, 0.001, 0.0010001, 0.3, 0.3, 10.0, 99.0]
    store, registry = Store(AppLabels(1)), CollectorRegistry()
    store.add([(HTTP_SECONDS, LABELS, seconds) for seconds in durations])
    expected = prometheus_client.Histogram(
        HTTP_SECONDS.name,
        HTTP_SECONDS.help,
        HTTP_SECONDS.labels,
        buckets=HTTP_SECONDS.bounds,
        registry=registry,
    )
    for seconds in durations:
        expected.labels(*LABELS).observe(seconds)
    assert samples_of(store.registry) == samples_of(registry)


def samples_of(registry: CollectorRegistry) -> list[tuple[object, ...]]:
    """Return all samples without the time of their creation."""
    return [
        (sample.name, sample.labels, pytest.approx(sample.value))
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


def test_gauge_of_labels_that_are_no_longer_set_is_zero(recorded: RecordedMetrics) -> None:
    recorded.store.set(WECHAT_IN_FLIGHT, {("wx1",): 2.0, ("wx2",): 1.0})
    recorded.store.set(WECHAT_IN_FLIGHT, {("wx2",): 3.0})
    assert recorded.of(WECHAT_IN_FLIGHT) == {("wx1",): 0.0, ("wx2",): 3.0}


def test_metric_without_a_value_is_not_exported(recorded: RecordedMetrics) -> None:
    """A process that has not used its caches must not make `wxpass_caches_on` 0."""
    assert recorded.of(CACHES_ON) == {}


def test_first_apps_are_named_until_the_bound_and_the_others_are_added_up() -> None:
    recorded = RecordedMetrics(most_apps=2)
    events = [(LOGINS, (f"wx{number}", "code", "ok"), 1.0) for number in (1, 2, 3, 4, 1)]
    recorded.store.add(events)
    assert recorded.of(LOGINS) == {
        ("wx1", "code", "ok"): 2.0,
        ("wx2", "code", "ok"): 1.0,
        (OTHER, "code", "ok"): 2.0,
    }


def test_in_flight_calls_of_unnamed_apps_are_added_up() -> None:
    recorded = RecordedMetrics(most_apps=1)
    recorded.store.set(WECHAT_IN_FLIGHT, {(f"wx{number}",): 2.0 for number in range(4)})
    assert recorded.of(WECHAT_IN_FLIGHT) == {("wx0",): 2.0, (OTHER,): 6.0}


def test_busiest_apps_are_named_even_if_others_were_seen_first() -> None:
    labels = AppLabels(2)
    assert [labels.label(appid) for appid in ("wx1", "wx2", "wx3")] == ["wx1", "wx2", OTHER]
    labels.add_busiest(["wx3", "wx4", "wx5"])
    assert [labels.label(f"wx{number}") for number in range(1, 6)] == [
        *("wx1", "wx2", "wx3", "wx4"),
        OTHER,
    ]


def test_other_takes_no_name() -> None:
    labels = AppLabels(1)
    assert [labels.label(OTHER), labels.label("wx1")] == [OTHER, "wx1"]


def test_series_are_bounded_with_many_apps_error_codes_and_errcodes() -> None:
    """5,000 apps with 30 error codes each, and changing lists of busiest apps."""
    recorded = RecordedMetrics(most_apps=10)
    for number in range(5000):
        appid = f"wx{number:016}"
        if number % 100 == 0:
            recorded.labels.add_busiest(f"wx{number + more:016}" for more in range(10))
        codes = [(FAILURES, (appid, f"code_{code}"), 1.0) for code in range(30)]
        calls = [(WECHAT_CALLS, (appid, "login", str(code)), 1.0) for code in range(5)]
        recorded.store.add([*codes, *calls])
    failures, calls_made = recorded.of(FAILURES), recorded.of(WECHAT_CALLS)
    named = {appid for appid, *_ in [*failures, *calls_made]}
    assert len(named) == 2 * 10 + 1
    assert len(failures) == len(named) * 30
    assert sum(failures.values()) == 5000 * 30
    assert sum(calls_made.values()) == 5000 * 5


@pytest.mark.parametrize(("method", "label"), [("GET", "GET"), ("get", OTHER), ("X" * 99, OTHER)])
def test_unusual_methods_are_other(method: str, label: str) -> None:
    assert method_label(method) == label
