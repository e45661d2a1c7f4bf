"""Spans of time as people type them."""

from __future__ import annotations

import re
from datetime import timedelta

from tfmshop.surface.cli.host import Failure

LONGEST = timedelta(days=3650)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class WrongUsage(Failure):
    """What was typed cannot be meant. Exit code 2."""


def span_of(text: str, option: str) -> timedelta:
    """Such as 90s, 15m, 24h or 7d, at most ten years. `WrongUsage` for anything else."""
    asked = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if asked is None:
        raise WrongUsage(f"{option} must be such as 90s, 15m, 24h or 7d, not {text!r}.")
    return min(timedelta(seconds=int(asked[1]) * _UNITS[asked[2]]), LONGEST)
