"""What was bought: place, settle, change, send, cancel, find."""

from tfmshop.commerce.orders import (
    browse,
    editing,
    forget,
    fulfil,
    history,
    invoices,
    moving,
    paying,
    returns,
    staff,
    tokens,
)
from tfmshop.commerce.orders import jobs as jobs
from tfmshop.commerce.orders.browse import load
from tfmshop.commerce.orders.errors import CannotMove, OrderNotFound
from tfmshop.commerce.orders.events import OrderNews
from tfmshop.commerce.orders.model import Order, OrderStatus
from tfmshop.commerce.orders.move import cancel
from tfmshop.commerce.orders.place import NewOrder, place

__all__ = [
    "CannotMove",
    "NewOrder",
    "Order",
    "OrderNews",
    "OrderNotFound",
    "OrderStatus",
    "browse",
    "cancel",
    "editing",
    "forget",
    "fulfil",
    "history",
    "invoices",
    "load",
    "moving",
    "paying",
    "place",
    "returns",
    "staff",
    "tokens",
]
