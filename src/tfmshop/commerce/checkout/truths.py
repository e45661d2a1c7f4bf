"""What must never be false across modules."""

from tfmshop.platform.db import Query, Truth

STOCK_OF_ORDERS = Truth("every order from a cart took its stock exactly once, every cancelled one gave it back", Query(
    "checkout.truth_stock", """
SELECT b.number FROM orders.bought AS b
LEFT JOIN inventory.taken AS t ON t.order_id = b.order_id AND t.variant_id = b.variant_id
WHERE b.cart_id IS NOT NULL
    AND coalesce(t.quantity, 0) <> CASE WHEN b.status = 'cancelled' THEN 0 ELSE b.quantity END
"""))  # fmt: skip
PAID = Truth("what was taken for an order is what it says it cost, and only paid orders were taken for", Query(
    "checkout.truth_captured", """
SELECT o.number FROM orders.payment AS o LEFT JOIN payments.balance AS b ON b.order_id = o.order_id
WHERE o.cart_id IS NOT NULL AND CASE
    WHEN o.payment_status = 'captured' THEN b.captured IS DISTINCT FROM o.total OR b.refunded <> 0
    WHEN o.payment_status = 'partially_refunded' THEN b.captured IS DISTINCT FROM o.total OR b.refunded >= b.captured
    WHEN o.payment_status = 'refunded' THEN b.captured IS DISTINCT FROM o.total OR b.refunded <> b.captured
    ELSE b.captured IS NOT NULL END
"""))  # fmt: skip
