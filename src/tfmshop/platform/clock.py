"""The one clock: UTC now, which tests can hold still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

epoch: Final = time.time_ns
"""Nanoseconds since 1970, as other programs put what happened in order."""
monotonic: Final = time.perf_counter
"""Seconds on a clock that never goes back; for measuring, not for dates."""
_now: Callable[[], datetime] | None = None


def now() -> datetime:
    """The present moment, in UTC with microseconds."""
    return _now() if _now else datetime.now(UTC)


@contextmanager
def held(moment: datetime) -> Iterator[None]:
    """Hold `now()` at `moment` inside the block."""
    global _now
    before, _now = _now, lambda: moment
    try:
        yield
    finally:
        _now = before
