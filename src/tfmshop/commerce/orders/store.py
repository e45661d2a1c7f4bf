"""Every statement of orders. Ownership is in each WHERE: a NULL owner equals nothing."""

from tfmshop.platform.db import Copy, Query, Truth

PLACE = Query(
    "orders.place",
    """
WITH wanted AS (
    SELECT * FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[], $15::text[],
            $16::text[], $17::text[], $18::text[], $19::integer[], $20::bytea[])
        AS w(id, number, cart_id, customer_id, provider, currency, subtotal, discount, shipping, tax, tax_included,
            total, email, address, shipping_method, discounts, who, shipping_tax_rate, token_hash)
), placed AS (
    INSERT INTO orders.placed (id, number, cart_id, customer_id, status, payment_status, payment_provider, currency,
        subtotal, discount, shipping, tax, tax_included, total, email, address, shipping_method, discounts,
        shipping_tax_rate, token_hash, placed_at, updated_at)
    SELECT id, number, cart_id, customer_id, 'placed', 'pending', provider, currency, subtotal, discount, shipping, tax,
        tax_included, total, email, address::jsonb, shipping_method, discounts::jsonb, shipping_tax_rate,
        token_hash, $1, $1
    FROM wanted
), noted AS (
    INSERT INTO orders.history (order_id, at, status, who) SELECT id, $1, 'placed', who FROM wanted
)
INSERT INTO orders.line (order_id, position, product_id, variant_id, sku, title, quantity, unit_price, total, discount,
    tax, tax_rate, tax_included)
SELECT l.order_id, l.position, l.product_id, l.variant_id, l.sku, l.title, l.quantity, l.unit_price,
    l.unit_price * l.quantity, l.discount, l.tax, l.tax_rate, l.tax_included
FROM unnest($21::uuid[], $22::integer[], $23::uuid[], $24::uuid[], $25::text[], $26::text[], $27::integer[],
        $28::bigint[], $29::bigint[], $30::bigint[], $31::integer[], $32::bigint[])
    AS l(order_id, position, product_id, variant_id, sku, title, quantity, unit_price, discount, tax, tax_rate,
        tax_included)
""",
)

SETTLE = Query(
    "orders.settle",
    """
WITH moved AS (
    UPDATE orders.placed AS o SET status = 'paid', payment_status = 'authorized', payment_reference = a.reference,
        updated_at = a.at
    FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[], $7::text[], $8::text[],
            $9::integer[], $10::bytea[])
        AS a(id, reference, at, who, news, scope, key, answer, body)
    WHERE o.id = a.id AND o.status = ANY($1)
    RETURNING a.*, o.number, o.total, o.currency
), noted AS (
    INSERT INTO orders.history (order_id, at, status, who) SELECT id, at, 'paid', who FROM moved
)
SELECT id, jobs.enqueue('orders.paid', news), platform.remember_answer(scope, key, answer, body),
    jobs.publish('order.paid', id, jsonb_build_object('order_id', id, 'number', number,
        'total', jsonb_build_object('amount', total, 'currency', currency)))
FROM moved
""",
)

_PAYMENT = "id, number, status, payment_status, payment_provider, total, currency, payment_reference"

PAYMENT = Query(
    "orders.payment_of",
    f"SELECT {_PAYMENT} FROM orders.placed WHERE id = $1",
)
HOLD_PAYMENT = Query("orders.hold_payment", f"{PAYMENT.sql} FOR UPDATE")

MARK_PAYMENT = Query(
    "orders.mark_payment",
    "UPDATE orders.placed SET payment_status = $2, updated_at = now() WHERE id = $1 AND payment_status = ANY($3)",
)

MOVE = Query(
    "orders.move",
    """
WITH moved AS (
    UPDATE orders.placed SET status = $2, updated_at = $3 WHERE id = $1 AND status = ANY($4) RETURNING id
)
INSERT INTO orders.history (order_id, at, status, who, why) SELECT id, $3, $2, $5, $6 FROM moved
""",
)

TO_SHIP = Query(
    "orders.to_ship",
    "SELECT position, sku, quantity - shipped AS left FROM orders.line WHERE order_id = $1 ORDER BY position",
)

SHIP = Query(
    "orders.ship",
    """
WITH parcel AS (
    INSERT INTO orders.shipment (order_id, id, carrier, tracking, who, at) VALUES ($1, $2, $3, $4, $5, $6)
), sent AS (
    UPDATE orders.line AS l SET shipped = l.shipped + w.quantity
    FROM unnest($7::integer[], $8::integer[]) AS w(position, quantity)
    WHERE l.order_id = $1 AND l.position = w.position
    RETURNING l.position, w.quantity
)
INSERT INTO orders.shipped (order_id, shipment_id, position, quantity) SELECT $1, $2, position, quantity FROM sent
""",
)

ID_OF = Query("orders.id_of", "SELECT id FROM orders.placed WHERE number = $1")

TOKEN = Query(
    "orders.token", "SELECT token_number, token_hash FROM orders.placed WHERE id = $1 AND customer_id IS NULL"
)
GIVE_TOKEN = Query("orders.give_token", "UPDATE orders.placed SET token_hash = $2 WHERE id = $1 AND token_number = $3")

CANCEL = Query(
    "orders.cancel",
    """
WITH moved AS (
    UPDATE orders.placed SET status = 'cancelled', payment_status = $2, updated_at = $3
    WHERE id = $1 AND status = ANY($4)
    RETURNING id, cart_id
), noted AS (
    INSERT INTO orders.history (order_id, at, status, who, why) SELECT id, $3, 'cancelled', $5, $6 FROM moved
)
SELECT m.cart_id, l.variant_id, l.quantity FROM moved AS m JOIN orders.line AS l ON l.order_id = m.id
""",
)

_ORDER = """o.id, o.number, o.status, o.payment_status, o.currency, o.subtotal, o.discount, o.shipping, o.tax,
    o.tax_included, o.total, o.discounts, o.shipping_method, o.email, o.address, o.placed_at,
    (SELECT json_agg(json_build_object('product_id', l.product_id, 'variant_id', l.variant_id, 'sku', l.sku,
            'title', l.title, 'quantity', l.quantity,
            'unit_price', json_build_object('amount', l.unit_price, 'currency', o.currency),
            'total', json_build_object('amount', l.total, 'currency', o.currency),
            'discount', json_build_object('amount', l.discount, 'currency', o.currency),
            'tax', json_build_object('amount', l.tax, 'currency', o.currency), 'tax_rate', l.tax_rate,
            'tax_included', json_build_object('amount', l.tax_included, 'currency', o.currency), 'shipped', l.shipped)
        ORDER BY l.position) FROM orders.line AS l WHERE l.order_id = o.id) AS lines,
    (SELECT coalesce(json_agg(json_build_object('id', s.id, 'at', s.at, 'carrier', s.carrier, 'tracking', s.tracking,
            'lines', (SELECT json_agg(json_build_object('sku', l.sku, 'quantity', x.quantity) ORDER BY x.position)
                FROM orders.shipped AS x JOIN orders.line AS l ON l.order_id = x.order_id AND l.position = x.position
                WHERE x.order_id = s.order_id AND x.shipment_id = s.id)) ORDER BY s.at), '[]')
        FROM orders.shipment AS s WHERE s.order_id = o.id) AS shipments,
    (SELECT json_agg(json_build_object('id', r.id,
            'amount', json_build_object('amount', r.amount, 'currency', o.currency), 'why', r.why,
            'asked_at', r.asked_at, 'done_at', r.done_at, 'failed', r.failed) ORDER BY r.asked_at)
        FROM payments.given_back AS r WHERE r.order_id = o.id) AS refunds,
    (SELECT json_agg(json_build_object('at', h.at, 'status', h.status, 'who', h.who, 'why', h.why) ORDER BY h.at)
        FROM orders.history AS h WHERE h.order_id = o.id) AS history"""

FIND = Query(
    "orders.find",
    f"""
SELECT {_ORDER} FROM orders.placed AS o
WHERE o.id = $1 AND (o.customer_id = $2 OR o.token_hash = $3)
""",
)

FIND_BY_NUMBER = Query(
    "orders.find_by_number",
    f"""
SELECT {_ORDER} FROM orders.placed AS o
WHERE o.number = $1 AND (o.customer_id = $2 OR o.token_hash = $3)
""",
)

LOAD = Query("orders.load", f"SELECT {_ORDER}, o.customer_id FROM orders.placed AS o WHERE o.id = $1")

LIST_OWN = Query(
    "orders.list_own",
    f"""
SELECT {_ORDER} FROM orders.placed AS o
WHERE o.customer_id = $1 AND (o.placed_at, o.id) < ($2, $3)
ORDER BY o.placed_at DESC, o.id DESC LIMIT $4
""",
)

LIST_OWN_BY_STATUS = Query(
    "orders.list_own_by_status",
    f"""
SELECT {_ORDER} FROM orders.placed AS o
WHERE o.customer_id = $1 AND (o.placed_at, o.id) < ($2, $3) AND o.status = $5
ORDER BY o.placed_at DESC, o.id DESC LIMIT $4
""",
)

BOUGHT = Query(
    "orders.bought",
    """
SELECT count(*)::int AS orders, o.currency,
    sum(CASE WHEN o.payment_provider = $2 THEN o.total ELSE coalesce(b.captured - b.refunded, 0) END)::bigint AS spent,
    min(o.placed_at) AS first_at, max(o.placed_at) AS last_at
FROM orders.placed AS o LEFT JOIN payments.balance AS b ON b.order_id = o.id
WHERE o.customer_id = $1 AND o.status NOT IN ('placed', 'cancelled') GROUP BY o.currency ORDER BY o.currency
""",
)

UNPAID = Query(
    "orders.unpaid",
    f"""
SELECT {_PAYMENT} FROM orders.placed WHERE status = 'placed' AND placed_at < $1
    AND payment_provider <> ALL($2) AND id <> ALL($4::uuid[])
    AND (payment_status <> 'action_required' OR placed_at < $3)
ORDER BY placed_at LIMIT 100
""",
)

COUNT_SALES = Query(
    "orders.count_sales",
    """
WITH counted AS (UPDATE orders.placed SET counted = true WHERE id = $1 AND NOT counted RETURNING id)
SELECT l.product_id, sum(l.quantity)::bigint AS sold FROM orders.line AS l JOIN counted AS c ON c.id = l.order_id
GROUP BY l.product_id ORDER BY l.product_id
""",
)

COPY_ORDERS = Copy("orders.copy_orders", "orders.placed", (
    "id", "number", "customer_id", "status", "payment_status", "payment_provider", "currency", "subtotal", "total",
    "email", "address", "counted", "placed_at", "updated_at",
))  # fmt: skip
COPY_LINES = Copy("orders.copy_lines", "orders.line", (
    "order_id", "position", "product_id", "variant_id", "sku", "title", "quantity", "unit_price", "total",
))  # fmt: skip
COPY_HISTORY = Copy("orders.copy_history", "orders.history", ("order_id", "at", "status", "who", "why"))
ANALYZE = Query("orders.analyze", "ANALYZE orders.placed, orders.line, orders.history")

Truth(
    "an order's subtotal is the sum of its lines",
    Query(
        "orders.truth_subtotal",
        """
SELECT o.number FROM orders.placed AS o
WHERE o.subtotal <> (SELECT coalesce(sum(l.total), -1) FROM orders.line AS l WHERE l.order_id = o.id)
""",
    ),
)
Truth(
    "an order's discount is the sum of its lines', and its taxes at least theirs",
    Query(
        "orders.truth_lines",
        """
SELECT o.number FROM orders.placed AS o
CROSS JOIN LATERAL (SELECT sum(l.discount) AS discount, sum(l.tax) AS tax, sum(l.tax_included) AS included,
    bool_or(l.tax_included NOT BETWEEN 0 AND l.tax) AS odd FROM orders.line AS l WHERE l.order_id = o.id) AS l
WHERE o.discount <> l.discount OR o.tax < l.tax OR o.tax_included < l.included OR l.odd
""",
    ),
)
Truth(
    "a status is the last step of its history",
    Query(
        "orders.truth_history",
        """
SELECT o.number FROM orders.placed AS o
WHERE o.status <> (SELECT h.status FROM orders.history AS h WHERE h.order_id = o.id ORDER BY h.at DESC LIMIT 1)
""",
    ),
)
Truth(
    "what a line says was sent is in its parcels",
    Query(
        "orders.truth_shipped",
        """
SELECT o.number FROM orders.line AS l JOIN orders.placed AS o ON o.id = l.order_id
WHERE l.shipped <> (SELECT coalesce(sum(x.quantity), 0) FROM orders.shipped AS x
    WHERE x.order_id = l.order_id AND x.position = l.position)
""",
    ),
)
