"""What must never be false across modules."""

from tfmshop.platform.db import Query, Truth

STOCK_OF_ORDERS = Truth(
    "every order from a cart took its stock exactly once; what was cancelled or restocked is back", Query(
    "checkout.truth_stock", """
SELECT b.number FROM orders.bought AS b
LEFT JOIN inventory.taken AS t ON t.order_id = b.order_id AND t.variant_id = b.variant_id
WHERE b.cart_id IS NOT NULL
    AND coalesce(t.quantity, 0) <> CASE WHEN b.status = 'cancelled' THEN 0 ELSE b.quantity - b.restocked END
"""))  # fmt: skip
PAID = Truth("what was taken for an order is what it says it cost, and only paid orders were taken for", Query(
    "checkout.truth_captured", """
SELECT o.number FROM orders.payment AS o LEFT JOIN payments.balance AS b ON b.order_id = o.order_id
WHERE o.cart_id IS NOT NULL AND CASE WHEN o.payment_status NOT IN ('captured', 'partially_refunded', 'refunded')
    THEN b.captured IS NOT NULL
    ELSE b.captured IS DISTINCT FROM o.total + o.lowered OR CASE o.payment_status WHEN 'captured' THEN b.refunded <> 0
        WHEN 'refunded' THEN b.refunded <> b.captured ELSE b.refunded >= b.captured END END
"""))  # fmt: skip
ONE_EACH = Truth("a cart became one order at most", Query(
    "checkout.truth_one_each", """
SELECT min(number) FROM orders.payment WHERE cart_id IS NOT NULL AND status <> 'cancelled'
GROUP BY cart_id HAVING count(*) > 1
"""))  # fmt: skip
UNPAID = Truth("no order waits longer than an hour for its payment", Query(
    "checkout.truth_unpaid", """
SELECT number FROM orders.payment WHERE status = 'placed' AND placed_at < now() - interval '1 hour'
"""))  # fmt: skip
PROMISED = Truth("no promised money waits longer than an hour to be taken", Query(
    "checkout.truth_promised", """
SELECT number FROM orders.payment
WHERE payment_status = 'authorized' AND cart_id IS NOT NULL AND updated_at < now() - interval '1 hour'
"""))  # fmt: skip
LET_GO = Truth("no money of a cancelled order waits longer than an hour to be let go", Query(
    "checkout.truth_let_go", """
SELECT convert_from(payload, 'UTF8') FROM jobs.unfinished
WHERE name = 'checkout.let_go' AND since < now() - interval '1 hour'
"""))  # fmt: skip
KEPT = Truth("what was taken for a cancelled order goes back", Query(
    "checkout.truth_kept", """
SELECT o.number FROM orders.payment AS o JOIN payments.balance AS b ON b.order_id = o.order_id
WHERE o.status = 'cancelled' AND b.refunded < b.captured
"""))  # fmt: skip
GIVEN_BACK = Truth("no buyer waits longer than an hour for money to be given back", Query(
    "checkout.truth_given_back", "SELECT order_id FROM payments.owed WHERE asked_at < now() - interval '1 hour'"
))  # fmt: skip
