"""What was bought: place, settle, cancel, find."""

from tfmshop.commerce.orders import jobs as jobs
from tfmshop.commerce.orders.browse import Head, OrderList, find, find_by_number, listing, load, own, unpaid
from tfmshop.commerce.orders.errors import CannotMove
from tfmshop.commerce.orders.history import PastOrder, add_past
from tfmshop.commerce.orders.model import Order, OrderStatus
from tfmshop.commerce.orders.move import Paid, as_paid, cancel, give_token, settle
from tfmshop.commerce.orders.place import Buyer, place

__all__ = [
    "Buyer",
    "CannotMove",
    "Head",
    "Order",
    "OrderList",
    "OrderStatus",
    "Paid",
    "PastOrder",
    "add_past",
    "as_paid",
    "cancel",
    "find",
    "find_by_number",
    "give_token",
    "listing",
    "load",
    "own",
    "place",
    "settle",
    "unpaid",
]
