"""Traces: which request something belongs to, over all the programs that took part in it."""

from __future__ import annotations

import re
from typing import Final

_PARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def given(traceparent: bytes | None) -> str:
    """The id of the trace that a client's `traceparent` names (W3C Trace Context), or nothing."""
    found = _PARENT.fullmatch(traceparent) if traceparent else None
    return found[1].decode() if found and found[1] != b"0" * 32 else ""
