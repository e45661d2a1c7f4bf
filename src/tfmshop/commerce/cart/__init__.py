"""What someone means to buy."""

from tfmshop.commerce.cart.change import add, change, describe, remove, set_coupon, set_shipping
from tfmshop.commerce.cart.close import close, drop_expired, reopen
from tfmshop.commerce.cart.hold import hold, let_go
from tfmshop.commerce.cart.merge import merge
from tfmshop.commerce.cart.model import Cart, Owner
from tfmshop.commerce.cart.open import create, mine, view, why
from tfmshop.commerce.cart.quote import Quote, Reason

__all__ = [
    "Cart",
    "Owner",
    "Quote",
    "Reason",
    "add",
    "change",
    "close",
    "create",
    "describe",
    "drop_expired",
    "hold",
    "let_go",
    "merge",
    "mine",
    "remove",
    "reopen",
    "set_coupon",
    "set_shipping",
    "view",
    "why",
]
