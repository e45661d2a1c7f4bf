"""A dashboard for Grafana (classic JSON), written from the table of metrics: an overview, and a panel for each."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any, Final

from tfmshop.platform import codec, measures
from tfmshop.platform.observe import process
from tfmshop.platform.observe.alerts.history import JOB
from tfmshop.platform.observe.metrics import METRICS, Gauge, Metric, Over
from tfmshop.surface.alerts.answers import ANSWERED, FAILED, FOUND, LOOKUPS, REQUEST
from tfmshop.surface.http.app import routes

GROUPS: Final = {
    "Requests": ("http_", "tfmshop_admission_", "tfmshop_limit_", "tfmshop_security_"),
    "Database": (
        "db_", "tfmshop_query_", "tfmshop_slow_", "tfmshop_connection", "tfmshop_pool_", "tfmshop_transactions_",
        "tfmshop_truths_",
    ),
    "Cache and Redis": ("tfmshop_cache_", "tfmshop_redis_", "tfmshop_dependency_"),
    "Jobs": ("tfmshop_job", "tfmshop_schedule_", "tfmshop_done_"),
    "The shop": ("tfmshop_payment_", "tfmshop_events_", "tfmshop_stock_", "tfmshop_outgoing_"),
}  # fmt: skip
"""The metrics of each row, by how their names begin; all others are in the last one."""
REST: Final = "Processes and machine"
UNITS: Final = {"_seconds": "s", "_bytes": "bytes", "_ratio": "percentunit", "_seconds_total": "s"}
SPAN: Final = "$__rate_interval"


def dashboard() -> str:
    """The whole dashboard as JSON."""
    routes()  # declares what the web server measures
    ids = count(1)
    panels = _row("Overview", _overview(), ids, 0)
    for title in (*GROUPS, REST):
        metrics = [metric for metric in _sorted() if _group(metric) == title]
        below = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
        panels += _row(title, [_panel(metric) for metric in metrics], ids, below)
    return codec.encode_text({
        "title": "TFMShop", "uid": "tfmshop", "schemaVersion": 39, "editable": True, "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "utc", "tags": ["tfmshop"], "panels": panels,
        "templating": {"list": [{"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}]},
    })  # fmt: skip


def expressions(metric: Metric) -> list[tuple[str, str]]:
    """What a panel shows of a metric: PromQL, and how a line is called."""
    by = [*metric.labels, *(["process"] if metric.over is Over.EACH else [])]
    name = " ".join(f"{{{{{label}}}}}" for label in by)
    grouped = f" by ({', '.join(by)})" if by else ""
    if metric.kind == "histogram":
        rate = f"rate({_series(f'{metric.name}_bucket')}[{SPAN}])"
        return [
            (f"histogram_quantile({part:g}, sum by (le) ({rate}))", f"p{100 * part:g}") for part in (0.5, 0.95, 0.99)
        ]
    if metric.kind == "counter":
        return [(f"sum{grouped} (rate({_series(metric.name)}[{SPAN}]))", name)]
    over = metric.over.value if isinstance(metric, Gauge) and metric.over is not Over.EACH else "max"
    shown = f"{over}{grouped} ({_series(metric.name)})"
    if metric.name.endswith("_timestamp_seconds") or metric.name == process.STARTED.name:
        shown = f"time() - {shown}"
    return [(shown, name)]


def _series(name: str) -> str:
    """The series of the shop: others may have some of that name."""
    return f'{name}{{job="{JOB}"}}'


def _overview() -> list[dict[str, Any]]:
    failed, asked = FAILED.promql("_count"), ANSWERED.promql("_count")
    lookups, took = LOOKUPS.promql(), _series("db_client_operation_duration_seconds_bucket")
    rate, failures = f"sum (rate({asked}[{SPAN}]))", f"sum (rate({failed}[{SPAN}]))"
    found = f"sum (rate({FOUND.promql()}[{SPAN}])) / sum (rate({lookups}[{SPAN}]))"
    slowest = f"topk(5, histogram_quantile(0.95, sum by (le, db_query_summary) (rate({took}[{SPAN}]))))"
    used = f"max ({_series(process.USED.name)}) / max ({_series(process.LIMIT.name)})"
    return [
        _graph("Requests a second", [(rate, "all"), (failures, "failed")], "reqps"),
        _graph("Part that failed", [(f"{failures} / {rate}", "failed")], "percentunit"),
        _graph("Response times", expressions(METRICS[REQUEST]), "s"),
        _graph("Cache hit rate", [(found, "found")], "percentunit"),
        _graph(
            "Connections in use, fullest process", [(f"max ({_series(measures.FULL.name)})", "in use")], "percentunit"
        ),
        _graph("Memory in use", [(used, "in use")], "percentunit"),
        _graph("Slowest statements, p95", [(slowest, "{{db_query_summary}}")], "s"),
        _graph(
            "Alerts that fire", [(f"max by (alert) ({_series('tfmshop_alerts_firing')}) > 0", "{{alert}}")], "short"
        ),
    ]


def _panel(metric: Metric) -> dict[str, Any]:
    unit = next((unit for ending, unit in UNITS.items() if metric.name.endswith(ending)), "short")
    return _graph(metric.name, expressions(metric), unit, metric.meaning)


def _graph(title: str, lines: list[tuple[str, str]], unit: str, meaning: str = "") -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    targets = [{"refId": letter, "expr": expression, "legendFormat": name or title, "datasource": source}
               for letter, (expression, name) in zip("ABCDEF", lines, strict=False)]  # fmt: skip
    return {
        "type": "timeseries", "title": title, "description": meaning, "datasource": source, "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
    }  # fmt: skip


def _row(title: str, panels: list[dict[str, Any]], ids: Iterable[int], below: int) -> list[dict[str, Any]]:
    """A row of panels, three beside each other; `below` is where it begins."""
    numbers = iter(ids)
    row = {"type": "row", "title": title, "collapsed": False, "panels": [], "id": next(numbers),
           "gridPos": {"h": 1, "w": 24, "x": 0, "y": below}}  # fmt: skip
    for place, panel in enumerate(panels):
        panel |= {
            "id": next(numbers),
            "gridPos": {"h": 7, "w": 8, "x": 8 * (place % 3), "y": below + 1 + 7 * (place // 3)},
        }
    return [row, *panels]


def _sorted() -> list[Metric]:
    return [METRICS[name] for name in sorted(METRICS) if not name.startswith("test_")]


def _group(metric: Metric) -> str:
    return next((title for title, begins in GROUPS.items() if metric.name.startswith(begins)), REST)
