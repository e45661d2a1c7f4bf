"""Alerts: definitions once, worked out in the process and written as rules for Prometheus."""

from tfmshop.platform.observe.alerts.engine import Engine
from tfmshop.platform.observe.alerts.expressions import Age, Mean, Now, Quantile, Rate, Ratio
from tfmshop.platform.observe.alerts.history import Selector
from tfmshop.platform.observe.alerts.rules import Alert, Limit
from tfmshop.platform.observe.alerts.state import Firing, Silence
from tfmshop.platform.observe.alerts.trends import Forecast, Growth

__all__ = [
    "Age",
    "Alert",
    "Engine",
    "Firing",
    "Forecast",
    "Growth",
    "Limit",
    "Mean",
    "Now",
    "Quantile",
    "Rate",
    "Ratio",
    "Selector",
    "Silence",
]
