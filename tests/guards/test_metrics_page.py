"""The pages on monitoring list exactly the metrics that the service exports."""

import re
from collections import Counter

import pytest

from app.metrics.definitions import OF_PROCESSES, OF_SERVICE
from tests.guards.test_reference_docs import text_of

ROW = re.compile(r"^\| `(wxpass_\w+)` \| (\w+) \|([^|]*)\| [^|]+ \|$", re.MULTILINE)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_monitoring_page_lists_every_metric_with_type_and_labels(language: str) -> None:
    listed = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(text_of("monitoring", language))
    }
    defined = {
        metric.name: (type(metric).__name__.lower(), metric.labels)
        for metric in (*OF_PROCESSES, *OF_SERVICE)
    }
    # prometheus_client adds the label of the mode `liveall`.
    kind, labels = defined["wxpass_worker_memory_bytes"]
    defined["wxpass_worker_memory_bytes"] = (kind, (*labels, "pid"))
    assert listed == defined


def test_names_follow_the_conventions_of_prometheus() -> None:
    names = Counter(metric.name for metric in (*OF_PROCESSES, *OF_SERVICE))
    assert max(names.values()) == 1
    for metric in (*OF_PROCESSES, *OF_SERVICE):
        is_counter = type(metric).__name__ == "Counter"
        assert metric.name.endswith("_total") == is_counter, metric.name
        assert metric.help.endswith("."), metric.name
        assert "app" not in metric.labels[1:], f"{metric.name}: app must be the first label"


def test_no_metric_has_a_label_that_prometheus_adds_itself() -> None:
    """Prometheus would rename it to `exported_job`, and alerts would find no series."""
    for metric in (*OF_PROCESSES, *OF_SERVICE):
        assert not {"job", "instance"} & set(metric.labels), metric.name
