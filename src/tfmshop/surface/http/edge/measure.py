"""What every answered request leaves behind: how long it took, by route and status, and a line in the access log."""

from __future__ import annotations

from typing import Final

from tfmshop.platform.observe import logs, traces
from tfmshop.platform.observe.alike import counted
from tfmshop.platform.observe.metrics import Gauge, Histogram

DURATION = Histogram(
    "http_server_request_duration_seconds", "How long answers took.", "http_request_method", "http_route",
    "http_response_status_code",
)  # fmt: skip
ACTIVE = Gauge("http_server_active_requests", "Requests that are being answered, without those answered at once.")
GONE: Final = 499
"""The status of a request whose client went away before it was answered."""


def begin(
    method: str, route: str, request_id: str, traceparent: bytes | None
) -> tuple[traces.Request | None, str]:  # fmt: skip
    """The span of a request, where traces are made, and the id of its trace; what is logged from now on has both."""
    span = traces.Request(method, route, traceparent, request_id) if traces.on and traces.wanted(traceparent) else None
    trace_id = span.trace_id if span is not None else traces.given(traceparent)
    logs.asked.set((request_id, trace_id))
    return span, trace_id


def answered(
    method: str, path: str, route: str, status: int, request_id: str, seconds: float, trace_id: str = ""
) -> None:  # fmt: skip
    """Count a request that was answered, and log it."""
    DURATION.of(counted(method), route, status).add(seconds)
    logs.access(method, path, status, request_id, seconds, trace_id)
