"""Turns a cart into an order; the one place where modules meet."""

from tfmshop.commerce.checkout import truths as truths
from tfmshop.commerce.checkout.complete import complete
from tfmshop.commerce.checkout.edit import cancel_rest, edit
from tfmshop.commerce.checkout.hear import hear
from tfmshop.commerce.checkout.jobs import schedule_all
from tfmshop.commerce.checkout.money import ask_refund, cancel, refund_again, take_back
from tfmshop.commerce.checkout.purchase import Presenter, Purchase
from tfmshop.commerce.checkout.sweep import CHALLENGE, PATIENCE, sweep
from tfmshop.commerce.checkout.till import Till

__all__ = [
    "CHALLENGE",
    "PATIENCE",
    "Presenter",
    "Purchase",
    "Till",
    "ask_refund",
    "cancel",
    "cancel_rest",
    "complete",
    "edit",
    "hear",
    "refund_again",
    "schedule_all",
    "sweep",
    "take_back",
]
