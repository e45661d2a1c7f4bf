"""The numbers of all processes of this installation, for Prometheus and for people."""

from __future__ import annotations

import asyncio

from litestar import Response, get

from tfmshop.commerce import accounts
from tfmshop.platform import codec
from tfmshop.platform.observe import exposition, metrics, readings
from tfmshop.surface.http.context import AnyRequest
from tfmshop.surface.http.health import OPERATIONS, may_look
from tfmshop.surface.http.tiers import FREE, limited


@get("/metrics", summary="Everything that is measured", tags=["operations"], opt=limited(FREE), media_type="text/plain")
async def scrape(request: AnyRequest) -> Response[bytes]:
    """Prometheus' text format, OpenMetrics where `Accept` asks for it, or JSON with `Accept: application/json`; all
    processes of the installation together. For probes: from PROBE_NETWORKS, or with METRICS_TOKEN as a bearer token.

    Errors: `not_allowed`.
    """
    if not may_look(request):
        raise accounts.permissions.NotAllowed(permission=OPERATIONS)
    metrics.sample()
    body, kind = await asyncio.to_thread(_written, request.headers.get("accept", ""))
    return Response(body, media_type=kind)


def _written(accept: str) -> tuple[bytes, str]:
    reading = readings.read()
    if "application/openmetrics-text" in accept:
        return exposition.open_metrics(reading), exposition.OPENMETRICS
    if "application/json" in accept:
        return codec.encode(reading), "application/json"
    return exposition.text(reading), exposition.TEXT


ROUTES = [scrape]
