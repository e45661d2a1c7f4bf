"""What someone means to buy."""

from tfmshop.commerce.cart.change import add, change, describe, remove
from tfmshop.commerce.cart.close import close, drop_expired, reopen
from tfmshop.commerce.cart.hold import hold, let_go
from tfmshop.commerce.cart.model import Bought, Cart, Owner, totals
from tfmshop.commerce.cart.open import create, mine, view

__all__ = [
    "Bought",
    "Cart",
    "Owner",
    "add",
    "change",
    "close",
    "create",
    "describe",
    "drop_expired",
    "hold",
    "let_go",
    "mine",
    "remove",
    "reopen",
    "totals",
    "view",
]
