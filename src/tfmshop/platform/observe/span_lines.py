"""Spans on standard error, as `TRACES=console` has them. Imported where traces are on: it needs their SDK."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import INVALID_SPAN_CONTEXT, StatusCode

from tfmshop.platform import codec
from tfmshop.platform.observe import stderr
from tfmshop.platform.observe.ecs import DATASET

NANO: Final = 1_000_000_000


class Lines(SpanExporter):
    """Writes each span as a line of JSON with ECS names, as every other line there. The SDK's own exporter takes 89 us
    for a span, this one 6 (500 spans, least of five, Python 3.11), and writes it over thirty lines.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a line for each."""
        stderr.write(codec.encode_lines([_line(span) for span in spans]))
        return SpanExportResult.SUCCESS


def _line(span: ReadableSpan) -> dict[str, Any]:
    began, context = span.start_time or 0, span.get_span_context() or INVALID_SPAN_CONTEXT
    line: dict[str, Any] = {
        "@timestamp": datetime.fromtimestamp(began / NANO, UTC), "log.level": "info", DATASET: "traces",
        "span.name": span.name, "event.duration": (span.end_time or began) - began,
        "event.outcome": "failure" if span.status.status_code is StatusCode.ERROR else "success",
        "trace.id": f"{context.trace_id:032x}", "span.id": f"{context.span_id:016x}",
    }  # fmt: skip
    if span.parent is not None:
        line["parent.id"] = f"{span.parent.span_id:016x}"
    if span.status.description:
        line["error.type"] = span.status.description
    return {**line, **(span.attributes or {})}
