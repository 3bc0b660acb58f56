"""The values that this process exports: files of prometheus_client's multiprocess mode.

`PROMETHEUS_MULTIPROC_DIR` must be set before prometheus_client is imported. Without it, the values
stay in memory, which tests use.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry

from app.metrics.definitions import Counter, Gauge, Histogram, Metric
from app.metrics.labels import AppLabels
from app.metrics.recording import Event

Labels = tuple[str, ...]


class Store:
    """The exported values of this process. One thread may use it at a time."""

    def __init__(self, apps: AppLabels, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._apps = apps
        self._objects: dict[Metric, Any] = {}
        self._set_labels: dict[Gauge, set[Labels]] = defaultdict(set)

    def add(self, events: Iterable[Event]) -> None:
        """Add recorded events to counters and histograms."""
        counts: dict[tuple[Counter, Labels], float] = defaultdict(float)
        durations: dict[tuple[Histogram, Labels], list[float]] = defaultdict(list)
        for metric, labels, number in events:
            if isinstance(metric, Counter):
                counts[metric, labels] += number
            else:
                durations[metric, labels].append(number)
        for (counter, labels), total in counts.items():
            self._value(counter, labels).inc(total)
        for (histogram, labels), seconds in durations.items():
            _observe_all(self._value(histogram, labels), histogram.bounds, seconds)

    def set(self, gauge: Gauge, values: Mapping[Any, float]) -> None:
        """Set a gauge by tuples of label values. Those that are not in `values` are set to 0."""
        sums: dict[Labels, float] = dict.fromkeys(self._set_labels[gauge], 0.0)
        for labels, value in values.items():
            named = self._named(gauge, labels)
            sums[named] = sums.get(named, 0.0) + value
        for labels, value in sums.items():
            self._child(gauge, labels).set(value)
        self._set_labels[gauge].update(sums)

    def _value(self, metric: Metric, labels: Labels) -> Any:
        return self._child(metric, self._named(metric, labels))

    def _child(self, metric: Metric, labels: Labels) -> Any:
        exported = self._objects.get(metric)
        if exported is None:
            exported = self._objects[metric] = _new(metric, self.registry)
        return exported.labels(*labels) if labels else exported

    def _named(self, metric: Metric, labels: Labels) -> Labels:
        """Return the labels with a bounded number of apps. `app` is always the first label."""
        if metric.labels[:1] == ("app",):
            return (self._apps.label(labels[0]), *labels[1:])
        return labels


def _new(metric: Metric, registry: CollectorRegistry) -> Any:
    """Return the object of prometheus_client, which exports a value from now on."""
    if isinstance(metric, Counter):
        return prometheus_client.Counter(metric.name, metric.help, metric.labels, registry=registry)
    if isinstance(metric, Histogram):
        return prometheus_client.Histogram(
            metric.name, metric.help, metric.labels, buckets=metric.bounds, registry=registry
        )
    return prometheus_client.Gauge(
        metric.name, metric.help, metric.labels, registry=registry, multiprocess_mode=metric.mode
    )


def _observe_all(histogram: Any, bounds: tuple[float, ...], seconds: list[float]) -> None:
    """Add durations to a histogram with one write per bucket. `observe` writes twice for each."""
    seconds.sort()
    below = 0
    for number, upto in enumerate([*(bisect_right(seconds, one) for one in bounds), len(seconds)]):
        if upto > below:
            histogram._buckets[number].inc(upto - below)
            below = upto
    histogram._sum.inc(sum(seconds))
