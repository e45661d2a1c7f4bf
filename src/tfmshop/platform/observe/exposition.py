"""Numbers as Prometheus reads them: its text format, and OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics_text
from prometheus_client.registry import Collector, CollectorRegistry

from tfmshop.platform.observe.metrics import BOUNDS
from tfmshop.platform.observe.readings import Family, Reading

TEXT: Final = exposition.CONTENT_TYPE_LATEST
OPENMETRICS: Final = openmetrics_text.CONTENT_TYPE_LATEST
_ENDS: Final = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]


def text(reading: Reading) -> bytes:
    """The text format of Prometheus."""
    return exposition.generate_latest(_registry(reading))


def open_metrics(reading: Reading) -> bytes:
    """The OpenMetrics format."""
    written: bytes = openmetrics_text.generate_latest(_registry(reading))  # type: ignore[no-untyped-call]
    return written


def _registry(reading: Reading) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Read(reading))
    return registry


class _Read(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        """Every metric that has a series."""
        return (metric for family in self._reading.families.values() if family.series for metric in _metric(family))


def _metric(family: Family) -> Iterator[Metric]:
    names = list(dict.fromkeys(name for one in family.series for name in one.labels))
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.meaning, labels=names)
        for one in family.series:
            ends = [(end, float(seen)) for end, seen in zip(_ENDS, accumulate(one.buckets or ()), strict=False)]
            histogram.add_metric([one.labels.get(name, "") for name in names], ends, one.value)
        yield histogram
        return
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.meaning, labels=names)
    for one in family.series:
        metric.add_metric([one.labels.get(name, "") for name in names], one.value)
    yield metric


__all__ = ["OPENMETRICS", "TEXT", "open_metrics", "text"]
