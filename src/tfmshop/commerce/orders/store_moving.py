"""Every statement about orders that move in."""

from tfmshop.platform.db import Copy, Query, Truth

THERE = Query("orders.there", "SELECT number FROM orders.placed WHERE number = ANY($1)")
THERE_RETURNS = Query(
    "orders.there_returns", "SELECT DISTINCT reference FROM orders.returned WHERE reference = ANY($1)"
)
FIND_GOODS = Query("orders.find_goods", "SELECT sku, product_id, variant_id FROM catalog.sellable WHERE sku = ANY($1)")

OPEN_LINES = Query(
    "orders.open_lines",
    """
SELECT m.customer, l.sku, l.order_id, l.position, l.unit_price,
    (l.quantity - coalesce((SELECT sum(r.quantity) FROM orders.returned AS r
        WHERE r.order_id = l.order_id AND r.position = l.position), 0))::integer AS quantity, o.placed_at
FROM orders.moved_in AS m JOIN orders.placed AS o ON o.id = m.order_id JOIN orders.line AS l ON l.order_id = o.id
WHERE m.customer = ANY($1)
""",
)

MARK_RETURNED = Query(
    "orders.mark_returned",
    """
UPDATE orders.placed AS o SET updated_at = now(), payment_status =
    CASE WHEN (SELECT sum(r.amount) FROM orders.returned AS r WHERE r.order_id = o.id) >= o.total THEN 'refunded'
        ELSE 'partially_refunded' END
WHERE o.id = ANY($1)
""",
)

COPY_ORDERS = Copy("orders.copy_moved_orders", "orders.placed", (
    "id", "number", "status", "payment_status", "payment_provider", "currency", "subtotal", "shipping", "total",
    "email", "address", "counted", "placed_at", "updated_at",
))  # fmt: skip
COPY_LINES = Copy("orders.copy_moved_lines", "orders.line", (
    "order_id", "position", "product_id", "variant_id", "sku", "title", "quantity", "unit_price", "total",
))  # fmt: skip
COPY_HISTORY = Copy("orders.copy_moved_history", "orders.history", ("order_id", "at", "status", "who", "why"))
COPY_MOVED = Copy("orders.copy_moved_in", "orders.moved_in", ("order_id", "customer"))
COPY_RETURNS = Copy("orders.copy_returns", "orders.returned", (
    "reference", "order_id", "position", "quantity", "amount", "at",
))  # fmt: skip

Truth(
    "no more units came back than were bought",
    Query(
        "orders.truth_returned",
        """
SELECT o.number FROM orders.placed AS o JOIN orders.line AS l ON l.order_id = o.id
JOIN (SELECT order_id, position, sum(quantity) AS units FROM orders.returned GROUP BY 1, 2) AS r
    ON r.order_id = l.order_id AND r.position = l.position
WHERE r.units > l.quantity
""",
    ),
)
