"""The statements of what staff do with orders: lists, and notes."""

from tfmshop.commerce.orders.store_editing import FORGOTTEN
from tfmshop.platform.db import Query

_HEAD = "o.id, o.number, o.status, o.payment_status, o.total, o.currency, o.email, o.placed_at"
_PAGE = "(o.placed_at, o.id) < ($2, $3) AND o.placed_at >= $4"
_ORDER = "ORDER BY o.placed_at DESC, o.id DESC LIMIT $1"
_OF_STATUS = "($6::text IS NULL OR o.status = $6)"

LIST = Query("orders.list", f"SELECT {_HEAD} FROM orders.placed AS o WHERE {_PAGE} {_ORDER}")
LIST_BY_STATUS = Query(
    "orders.list_by_status", f"SELECT {_HEAD} FROM orders.placed AS o WHERE {_PAGE} AND o.status = $5 {_ORDER}"
)
LIST_OF_NUMBER = Query(
    "orders.list_of_number",
    f"SELECT {_HEAD} FROM orders.placed AS o WHERE o.number = ANY($5) AND {_PAGE} AND {_OF_STATUS} {_ORDER}",
)
LIST_OF_EMAIL = Query(
    "orders.list_of_email",
    f"SELECT {_HEAD} FROM orders.placed AS o WHERE lower(o.email) = $5 AND {_PAGE} AND {_OF_STATUS} {_ORDER}",
)
LIST_OF_BUYER = Query(
    "orders.list_of_buyer",
    f"SELECT {_HEAD} FROM orders.placed AS o WHERE o.customer_id = $5 AND {_PAGE} AND {_OF_STATUS} {_ORDER}",
)

ADD_NOTE = Query(
    "orders.add_note",
    f"""
INSERT INTO orders.note (id, order_id, at, who, text)
SELECT $1, o.id, $3, $4, $5 FROM orders.placed AS o WHERE o.id = $2 AND o.email <> '{FORGOTTEN}'
""",
)
NOTES = Query(
    "orders.notes",
    """
SELECT id, at, who, text FROM orders.note WHERE order_id = $1 AND (at, id) < ($2, $3)
ORDER BY at DESC, id DESC LIMIT $4
""",
)
