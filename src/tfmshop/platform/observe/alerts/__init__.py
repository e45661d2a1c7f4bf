"""Alerts: definitions once, worked out in the process and written as rules for Prometheus."""

from tfmshop.platform.observe.alerts.engine import Engine, Firing, Silence
from tfmshop.platform.observe.alerts.expressions import Age, Forecast, Growth, Mean, Now, Quantile, Rate, Ratio
from tfmshop.platform.observe.alerts.history import Selector
from tfmshop.platform.observe.alerts.rules import Alert, Limit

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
