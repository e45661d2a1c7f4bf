"""What must never be false across modules."""

from tfmshop.platform.db import Query, Truth

STOCK_OF_ORDERS = Truth("every order from a cart took its stock exactly once, every cancelled one gave it back", Query(
    "checkout.truth_stock", """
SELECT b.number FROM orders.bought AS b
LEFT JOIN inventory.taken AS t ON t.order_id = b.order_id AND t.variant_id = b.variant_id
WHERE b.cart_id IS NOT NULL
    AND coalesce(t.quantity, 0) <> CASE WHEN b.status = 'cancelled' THEN 0 ELSE b.quantity END
"""))  # fmt: skip
