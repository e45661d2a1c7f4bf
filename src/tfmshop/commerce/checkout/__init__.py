"""Turns a cart into an order; the one place where modules meet."""

from tfmshop.commerce.checkout import truths as truths
from tfmshop.commerce.checkout.complete import Presenter, Purchase, complete
from tfmshop.commerce.checkout.jobs import schedule_all
from tfmshop.commerce.checkout.sweep import PATIENCE, sweep

__all__ = ["PATIENCE", "Presenter", "Purchase", "complete", "schedule_all", "sweep"]
