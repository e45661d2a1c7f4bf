"""Security events: each into the log, and a line into a file of its own for `tfmshop logs security`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import structlog

from tfmshop.platform import clock, codec
from tfmshop.platform.observe import logs
from tfmshop.platform.observe.files import FILES
from tfmshop.platform.observe.metrics import Counter

log = structlog.get_logger("security")
EVENTS = Counter("tfmshop_security_events_total", "What concerned the safety of the shop, such as wrong password.",
                 "event")  # fmt: skip
asking: ContextVar[str] = ContextVar("the address that the request comes from", default="")


def tell(event: str, *, usual: bool = False, **facts: Any) -> None:
    """Note something that concerns the safety of the shop, `usual` or not; never sampled, each line whole."""
    if not facts.get("address") and (address := asking.get()):
        facts["address"] = address
    EVENTS.of(event).add()
    (log.info if usual else log.warning)(event, **facts)
    now = clock.now()
    line = logs.named({"timestamp": now, "event": event, **facts})
    FILES.write("security", now.date(), codec.encode(line) + b"\n")
