"""The same alerts as rules for Prometheus, from its version 2.42 on."""

from __future__ import annotations

from collections.abc import Sequence

from tfmshop.platform import codec
from tfmshop.platform.observe.alerts.history import JOB
from tfmshop.platform.observe.alerts.rules import Alert

_VALUES = {"%": "{{ $value | humanizePercentage }}", "s": "{{ $value | humanizeDuration }}",
           "ms": "{{ $value | humanizeDuration }}", "bytes": "{{ $value | humanize1024 }}B",
           "/s": "{{ $value | humanize }}/s", "": "{{ $value | humanize }}"}  # fmt: skip


GONE = f'absent(up{{job="{JOB}"}}) or up{{job="{JOB}"}} == 0'
"""What only Prometheus can see."""


def rules(alerts: Sequence[Alert]) -> str:
    """A rule file, as YAML, for a shop that Prometheus calls by the job `tfmshop`."""
    lines = ["# Written by `tfmshop alerts rules`, from the definitions that the shop itself uses.", "groups:",
             "  - name: tfmshop", "    rules:"]  # fmt: skip
    lines += [
        "      - alert: ShopGone", f"        expr: {_quoted(GONE)}", "        for: 60s",
        "        labels: {severity: critical}", "        annotations:",
        '          summary: "No shop answers Prometheus."',
        '          description: "Start it; nobody else can tell of this."',
    ]  # fmt: skip
    for alert in alerts:
        labels = {name: f"{{{{ $labels.{name} }}}}" for name in alert.labels}
        says = alert.says.format(value=_VALUES[alert.unit], **labels)
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {_quoted(alert.promql())}",
            f"        for: {alert.seconds:g}s",
            f"        keep_firing_for: {alert.keep:g}s",
            f"        labels: {{severity: {alert.severity}}}",
            "        annotations:",
            f"          summary: {_quoted(says)}",
            f"          description: {_quoted(alert.mend)}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A text in YAML, which takes JSON."""
    return codec.encode_text(text)
