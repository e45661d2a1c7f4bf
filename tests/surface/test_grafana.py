"""The dashboard for Grafana shows what is measured, in expressions that Prometheus understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tfmshop import app  # noqa: F401 - declares every metric
from tfmshop.platform.observe.metrics import METRICS
from tfmshop.surface.grafana import SPAN, dashboard
from tfmshop.surface.http.app import routes

ROOT = Path(__file__).parents[2]
ENDINGS = re.compile(r"_(bucket|count|sum)$")


def panels():
    routes()
    return [panel for panel in json.loads(dashboard())["panels"] if panel["type"] != "row"]


def expressions():
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_every_metric_is_shown_and_nothing_else():
    ours = {name for name in METRICS if not name.startswith("test_")}
    shown = set()
    for expression in expressions():
        names = set(re.findall(r"\b(?:tfmshop|http|db|process)_\w+", expression))
        labels = {label for name in names for metric in METRICS.values() for label in metric.labels if label == name}
        shown |= {name if name in METRICS else ENDINGS.sub("", name) for name in names - labels}
    assert shown == ours


def test_the_dashboard_that_is_handed_out_is_that_of_the_metrics():
    kept = json.loads((ROOT / "deploy" / "grafana" / "tfmshop.json").read_text())
    kept["panels"] = [panel for panel in kept["panels"] if panel["type"] != "row"]
    assert kept["panels"] == panels(), "run tfmshop monitor grafana --output deploy/grafana/tfmshop.json"
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in kept["panels"]]
    assert len(set(places)) == len(places)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_understands_every_expression(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": expression.replace(SPAN, "1m")}
             for number, expression in enumerate(expressions())]  # fmt: skip
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    told = subprocess.run(["promtool", "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=30)  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
