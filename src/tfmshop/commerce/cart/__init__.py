"""What someone means to buy."""

from tfmshop.commerce.cart import closing
from tfmshop.commerce.cart.change import add, change, describe, remove, set_coupon, set_shipping
from tfmshop.commerce.cart.hold import hold, let_go
from tfmshop.commerce.cart.merge import merge
from tfmshop.commerce.cart.model import Cart, Closed, Owner
from tfmshop.commerce.cart.open import create, find_open, mine, view, why
from tfmshop.commerce.cart.quote import Quote, Reason

__all__ = [
    "Cart",
    "Closed",
    "Owner",
    "Quote",
    "Reason",
    "add",
    "change",
    "closing",
    "create",
    "describe",
    "find_open",
    "hold",
    "let_go",
    "merge",
    "mine",
    "remove",
    "set_coupon",
    "set_shipping",
    "view",
    "why",
]
