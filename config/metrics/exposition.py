"""The text of `/metrics`, merged from the files of all processes."""

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config.metrics.folder import ended_processes, forget_process
from config.metrics.snapshot import recent_values

# The types of files that are kept after the end of their process.
KEPT = ("counter", "histogram")


def render(folder: Path) -> bytes:
    """Return the values of all processes in Prometheus's text format.

    Only one process may call this for a folder, because it also merges the files of ended ones.
    """
    for pid in ended_processes(folder):
        forget_process(folder, pid)
        for kind in KEPT:
            _merge(folder / f"{kind}_{pid}.db", folder / f"{kind}_0.db")
    registry = CollectorRegistry()
    registry.register(_Processes(folder))
    registry.register(_Service(folder))
    return generate_latest(registry)


class _Processes(Collector):
    """The metrics of the processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        # A process that has just been forked may not have written the first bytes of a file yet.
        files = [str(file) for file in self._folder.glob("*.db") if _size_of(file)]
        yield from MultiProcessCollector.merge(files)


class _Service(Collector):
    """The metrics of the whole service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, about, labels, value in recent_values(self._folder):
            family = families.setdefault(name, GaugeMetricFamily(name, about, labels=[*labels]))
            family.add_metric([*labels.values()], value)
        yield from families.values()


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _merge(ended: Path, kept: Path) -> None:
    """Add the values of an ended process to those of earlier ones, and delete its file.

    Otherwise each restart of a worker would leave files that every scrape reads.
    """
    if not ended.exists():
        return
    new = kept.with_suffix(".new")
    new.unlink(missing_ok=True)
    values = MmapedDict(str(new))
    try:
        for file in (kept, ended):
            if _size_of(file):
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
                    values.write_value(key, values.read_value(key)[0] + value, 0.0)
    finally:
        values.close()
    os.replace(new, kept)
    ended.unlink(missing_ok=True)
