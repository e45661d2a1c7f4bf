"""What people are told of alerts, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tfmshop.platform.observe.alerts.state import Firing

SIGNS: Final = {"critical": "[CRITICAL]", "warning": "[WARNING]", "resolved": "[RESOLVED]"}


def title(shop: str, alerts: Sequence[Firing]) -> str:
    """A message in one line."""
    firing = [one for one in alerts if one.state == "firing"]
    if not firing:
        return f"{shop}: resolved: {', '.join(dict.fromkeys(one.alert for one in alerts))}"
    worst = "critical" if any(one.severity == "critical" for one in firing) else "warning"
    names = ", ".join(dict.fromkeys(one.alert for one in firing))
    return f"{shop}: {SIGNS[worst]} {names}"


def lines(alerts: Sequence[Firing]) -> list[str]:
    """A message as lines of text."""
    told = []
    for one in alerts:
        sign = SIGNS["resolved" if one.state == "resolved" else one.severity]
        told.append(f"{sign} {one.alert}: {one.says} Since {one.since:%Y-%m-%d %H:%M:%S} UTC.")
        if one.state == "firing":
            told.append(f"    {one.mend}")
    return told
