"""What was bought: place, settle, send, cancel, find."""

from tfmshop.commerce.orders import fulfil, history, moving, paying, returns
from tfmshop.commerce.orders import jobs as jobs
from tfmshop.commerce.orders.browse import Head, OrderList, find, id_of, listing, load, own
from tfmshop.commerce.orders.errors import CannotMove
from tfmshop.commerce.orders.events import OrderNews
from tfmshop.commerce.orders.model import Order, OrderStatus
from tfmshop.commerce.orders.move import cancel
from tfmshop.commerce.orders.place import NewOrder, place

__all__ = [
    "CannotMove",
    "Head",
    "NewOrder",
    "Order",
    "OrderList",
    "OrderNews",
    "OrderStatus",
    "cancel",
    "find",
    "fulfil",
    "history",
    "id_of",
    "listing",
    "load",
    "moving",
    "own",
    "paying",
    "place",
    "returns",
]
