"""The statements of goods that come back."""

from tfmshop.platform.db import Query, Truth

TO_RETURN = Query(
    "orders.to_return",
    """
SELECT l.position, l.sku, greatest(0, CASE WHEN o.status IN ('shipped', 'delivered') THEN l.quantity ELSE l.shipped END
    - coalesce((SELECT sum(r.quantity) FROM orders.returned AS r
        WHERE r.order_id = l.order_id AND r.position = l.position
            AND (o.status IN ('shipped', 'delivered') OR r.reference <> 'rest ' || l.order_id::text)), 0)
    - coalesce((SELECT sum(a.quantity) FROM orders.return_line AS a JOIN orders.return AS w ON w.id = a.return_id
        WHERE w.order_id = l.order_id AND a.position = l.position AND w.status = 'asked'), 0))::integer AS left
FROM orders.line AS l JOIN orders.placed AS o ON o.id = l.order_id WHERE l.order_id = $1 ORDER BY l.position
""",
)

ASK = Query(
    "orders.ask_return",
    """
WITH asked AS (INSERT INTO orders.return (id, order_id, who, why, asked_at) VALUES ($1, $2, $3, $4, $5))
INSERT INTO orders.return_line (return_id, order_id, position, quantity)
SELECT $1, $2, w.position, w.quantity FROM unnest($6::integer[], $7::integer[]) AS w(position, quantity)
""",
)

_RETURN = """SELECT w.id, w.order_id, o.number, w.status, w.why, w.answer, w.asked_at, w.decided_at, (
    SELECT json_agg(json_build_object('sku', l.sku, 'quantity', a.quantity) ORDER BY a.position)
    FROM orders.return_line AS a JOIN orders.line AS l ON l.order_id = a.order_id AND l.position = a.position
    WHERE a.return_id = w.id) AS lines
FROM orders.return AS w JOIN orders.placed AS o ON o.id = w.order_id"""

FIND_RETURN = Query("orders.find_return", f"{_RETURN} WHERE w.id = $1")
RETURNS_OF = Query("orders.returns_of", f"{_RETURN} WHERE w.order_id = $1 ORDER BY w.asked_at, w.id")
RETURNS_OF_CUSTOMER = Query(
    "orders.returns_of_customer", f"{_RETURN} WHERE o.customer_id = $1 ORDER BY w.asked_at, w.id"
)
RETURNS_ASKED = Query("orders.returns_asked", f"{_RETURN} WHERE w.status = 'asked' ORDER BY w.asked_at, w.id LIMIT $1")

DECIDE = Query(
    "orders.decide_return",
    """
UPDATE orders.return SET status = $2, decided_by = $3, answer = $4, decided_at = $5
WHERE id = $1 AND status = 'asked' RETURNING order_id
""",
)

_WORTH = """l.variant_id, l.quantity AS bought,
    l.total - l.discount + l.tax - l.tax_included AS paid, coalesce((SELECT sum(r.quantity) FROM orders.returned AS r
        WHERE r.order_id = l.order_id AND r.position = l.position), 0)::integer AS before"""

COMING_BACK = Query(
    "orders.coming_back",
    f"""
SELECT a.position, a.quantity, {_WORTH}
FROM orders.return_line AS a JOIN orders.line AS l ON l.order_id = a.order_id AND l.position = a.position
WHERE a.return_id = $1 ORDER BY a.position
""",
)

NOT_SENT = Query(
    "orders.not_sent",
    f"""
SELECT l.position, l.quantity - l.shipped AS quantity, {_WORTH}, EXISTS (
    SELECT FROM orders.returned AS r WHERE r.order_id = l.order_id) AS returned, EXISTS (
    SELECT FROM orders.shipped AS s WHERE s.order_id = l.order_id) AS sent
FROM orders.line AS l WHERE l.order_id = $1 AND l.quantity > l.shipped AND NOT EXISTS (
    SELECT FROM orders.returned AS r WHERE r.order_id = $1 AND r.reference = 'rest ' || $1::uuid::text)
ORDER BY l.position
""",
)

NOTE_RETURNED = Query(
    "orders.note_returned",
    """
INSERT INTO orders.returned (reference, order_id, position, quantity, amount, at, restocked)
SELECT $1, $2, r.position, r.quantity, r.amount, $3, $4
FROM unnest($5::integer[], $6::integer[], $7::bigint[]) AS r(position, quantity, amount)
""",
)

Truth(
    "what was received of a return is noted as come back",
    Query(
        "orders.truth_received",
        """
SELECT w.id FROM orders.return AS w JOIN orders.return_line AS a ON a.return_id = w.id
LEFT JOIN orders.returned AS r ON r.reference = w.id::text AND r.order_id = a.order_id AND r.position = a.position
WHERE (w.status = 'received') <> (r.reference IS NOT NULL) OR r.quantity <> a.quantity
""",
    ),
)
