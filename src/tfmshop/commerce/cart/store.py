"""Every statement of carts. Ownership is in each WHERE: a NULL owner equals nothing."""

from tfmshop.platform.db import Query

_MINE = "c.id = $1 AND (c.token_hash = $2 OR c.customer_id = $3)"

_TERMS = """c.coupon, c.shipping_method,
    (SELECT json_agg(CASE WHEN u.used IS NULL THEN r.offer
            ELSE (r.offer::jsonb || jsonb_build_object('used_by_buyer', u.used))::json END)::text
        FROM promotions.running AS r LEFT JOIN promotions.used AS u
            ON u.offer_id = r.id AND u.who = coalesce(c.customer_id::text, lower(c.email))
        WHERE r.code IS NULL OR r.code = c.coupon) AS offers,
    (SELECT json_agg(r.rate)::text FROM pricing.rates AS r WHERE r.country = c.address ->> 'country') AS rates,
    (SELECT json_agg(m.method ORDER BY m.position, m.code)::text FROM pricing.methods AS m
        WHERE m.currency = c.currency) AS methods,
    EXISTS (SELECT FROM pricing.methods) AS ships"""
"""What decides what a cart comes to."""
_GROUP = "(SELECT g.customer_group FROM accounts.membership AS g WHERE g.customer_id = c.customer_id) AS customer_group"
_PRICE = """CASE WHEN s.currency = c.currency THEN least(s.price, p.amount) ELSE p.amount END AS price,
    CASE WHEN s.currency = c.currency THEN s.price END AS own_price, p.list_name"""
"""The lowest of a product's own price and those of the lists that hold for the cart; NULL: not sold in its currency."""
_PRICED = "LEFT JOIN LATERAL pricing.listed(l.variant_id, c.currency, c.customer_group) AS p ON true"
_HELD = "(SELECT h.until FROM inventory.held AS h WHERE h.cart_id = c.id)"
_LINE = """l.id AS line_id, l.variant_id, l.quantity, l.unit_price, s.product_id, s.sku, s.slug, s.title,
    s.variant_title, s.image, s.categories, s.tax_class, s.weight_g, a.available"""
_JOINED = """LEFT JOIN catalog.sellable AS s ON s.variant_id = l.variant_id
    CROSS JOIN LATERAL inventory.available_to(l.variant_id, l.cart_id) AS a"""

CREATE = Query(
    "cart.create",
    """
INSERT INTO cart.cart (id, token_hash, currency, expires_at) VALUES ($1, $2, $3, $4)
""",
)

HOLD_ALL = Query("cart.hold_all", "SELECT id FROM cart.cart WHERE customer_id = $1 ORDER BY id FOR UPDATE")
OPEN = Query("cart.find_open", "SELECT id FROM cart.cart WHERE customer_id = $1 AND status = 'open'")

MINE = Query(
    "cart.ensure_mine",
    """
WITH made AS (
    INSERT INTO cart.cart (id, customer_id, currency, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (customer_id) WHERE status = 'open' DO NOTHING RETURNING id, currency
)
SELECT id, currency FROM made UNION ALL SELECT id, currency FROM cart.cart WHERE customer_id = $2 AND status = 'open'
""",
)

TURN = Query(
    "cart.turn",
    """
WITH mine AS MATERIALIZED (SELECT c.id FROM cart.cart AS c WHERE c.id = $1 AND c.status = 'open' FOR UPDATE)
UPDATE cart.cart AS c SET currency = $2 FROM mine AS m
WHERE c.id = m.id AND NOT EXISTS (SELECT FROM cart.lines_of(m.id))
""",
)


def _moved(units: str, most_lines: str) -> str:
    """The lines of the cart `source` go into the cart `target`, and its choices where that has none; same variants have
    `units` then, lines that are too many stay out.
    """
    return f"""lines AS (
    SELECT l.variant_id, l.quantity, l.unit_price, row_number() OVER (ORDER BY l.added_at, l.id) AS nth
    FROM source AS s CROSS JOIN LATERAL cart.priced_lines_of(s.id) AS l
), moved AS (
    INSERT INTO cart.line AS l (id, cart_id, variant_id, quantity, unit_price)
    SELECT gen_random_uuid(), t.id, n.variant_id, n.quantity, n.unit_price FROM target AS t, lines AS n
    WHERE n.nth + (SELECT count(*) FROM cart.lines_of(t.id) AS h WHERE h.variant_id <> n.variant_id) <= {most_lines}
        OR EXISTS (SELECT FROM cart.lines_of(t.id) AS h WHERE h.variant_id = n.variant_id)
    ON CONFLICT (cart_id, variant_id) DO UPDATE SET quantity = {units}
), kept AS (
    UPDATE cart.cart AS c SET coupon = coalesce(c.coupon, s.coupon), address = coalesce(c.address, s.address),
        shipping_method = coalesce(c.shipping_method, s.shipping_method), updated_at = now(), reminded_at = NULL,
        expires_at = greatest(c.expires_at, s.expires_at)
    FROM target AS t, source AS s WHERE c.id = t.id
)"""


MERGE = Query(
    "cart.merge",
    f"""
WITH both_carts AS MATERIALIZED (
    SELECT c.id, c.token_hash, c.status, c.currency, c.coupon, c.address, c.shipping_method, c.expires_at
    FROM cart.cart AS c WHERE c.id IN ($1, $2) ORDER BY c.id FOR UPDATE
), source AS MATERIALIZED (SELECT * FROM both_carts WHERE id = $2 AND token_hash = $3),
target AS MATERIALIZED (SELECT b.* FROM both_carts AS b JOIN source AS s ON s.currency = b.currency
    AND s.status = 'open' AND b.status = 'open' WHERE b.id = $1),
{_moved("least(l.quantity + excluded.quantity, $4)", "$5")}, gone AS (
    DELETE FROM cart.cart AS c USING target AS t WHERE c.id = $2
)
SELECT s.status, s.currency, (SELECT b.currency FROM both_carts AS b WHERE b.id = $1) AS wanted FROM source AS s
""",
)

VIEW = Query(
    "cart.view",
    f"""
WITH mine AS MATERIALIZED (
    SELECT c.id, c.status, c.currency, c.email, c.address, c.expires_at, {_HELD} AS reserved_until, {_TERMS}, {_GROUP}
    FROM cart.cart AS c WHERE {_MINE}
)
SELECT c.*, {_LINE}, {_PRICE}
FROM mine AS c LEFT JOIN cart.line AS l ON l.cart_id = c.id {_JOINED} {_PRICED}
ORDER BY l.added_at, l.id
""",
)

ADD = Query(
    "cart.add_line",
    f"""
WITH mine AS MATERIALIZED (
    SELECT c.id, c.status, c.currency, {_GROUP} FROM cart.cart AS c WHERE {_MINE} FOR UPDATE
), wanted AS MATERIALIZED (
    SELECT s.variant_id, s.sku, s.currency, a.available, {_PRICE}
    FROM catalog.sellable AS s CROSS JOIN LATERAL inventory.available_to(s.variant_id, $1) AS a
    LEFT JOIN mine AS c ON true
    LEFT JOIN LATERAL pricing.listed(s.variant_id, c.currency, c.customer_group) AS p ON true
    WHERE CASE WHEN $4::uuid IS NOT NULL THEN s.variant_id = $4 ELSE s.product_id = $5::uuid END
    ORDER BY s.position LIMIT 1
), room AS MATERIALIZED (
    SELECT r.has, r.others FROM mine AS m CROSS JOIN wanted AS w
    CROSS JOIN LATERAL cart.room_for(m.id, w.variant_id) AS r
), added AS (
    INSERT INTO cart.line AS l (id, cart_id, variant_id, quantity, unit_price)
    SELECT $6, m.id, w.variant_id, $7::integer, w.price FROM mine AS m, wanted AS w, room AS r
    WHERE m.status = 'open' AND w.price IS NOT NULL AND r.has + $7 <= least(w.available, $8) AND r.others < $9
    ON CONFLICT (cart_id, variant_id) DO UPDATE
        SET quantity = l.quantity + excluded.quantity, unit_price = excluded.unit_price
        WHERE l.quantity + excluded.quantity <= $8
    RETURNING 1
), touched AS (
    UPDATE cart.cart AS c SET updated_at = now(), expires_at = $10, reminded_at = NULL FROM mine
    WHERE c.id = mine.id AND EXISTS (SELECT FROM added)
)
SELECT m.status, m.currency, w.variant_id, w.sku, w.currency AS priced_in, w.price IS NOT NULL AS priced, w.available,
    r.has, r.others, EXISTS (SELECT FROM added) AS added
FROM (SELECT 1) AS one LEFT JOIN mine AS m ON true LEFT JOIN wanted AS w ON true LEFT JOIN room AS r ON true
""",
)

CHANGE = Query(
    "cart.change_line",
    f"""
WITH mine AS MATERIALIZED (SELECT c.id, c.status FROM cart.cart AS c WHERE {_MINE} FOR UPDATE),
wanted AS MATERIALIZED (
    SELECT l.id, s.sku, a.available
    FROM cart.line AS l JOIN mine AS m ON m.id = l.cart_id {_JOINED} WHERE l.id = $4
), changed AS (
    UPDATE cart.line AS l SET quantity = $5::integer FROM mine AS m, wanted AS w
    WHERE m.status = 'open' AND l.id = w.id AND $5 <= w.available
    RETURNING 1
), touched AS (
    UPDATE cart.cart AS c SET updated_at = now(), expires_at = $6 FROM mine WHERE c.id = mine.id AND EXISTS (
        SELECT FROM changed)
)
SELECT m.status, w.id, w.sku, w.available, EXISTS (SELECT FROM changed)
FROM (SELECT 1) AS one LEFT JOIN mine AS m ON true LEFT JOIN wanted AS w ON true
""",
)

REMOVE = Query(
    "cart.remove_lines",
    f"""
WITH mine AS MATERIALIZED (SELECT c.id, c.status FROM cart.cart AS c WHERE {_MINE} FOR UPDATE),
removed AS (
    DELETE FROM cart.line AS l USING mine AS m
    WHERE m.status = 'open' AND l.cart_id = m.id AND ($4::uuid IS NULL OR l.id = $4)
    RETURNING 1
)
SELECT m.status, EXISTS (SELECT FROM removed) FROM (SELECT 1) AS one LEFT JOIN mine AS m ON true
""",
)

CHOOSE = Query(
    "cart.choose",
    f"""
WITH mine AS MATERIALIZED (SELECT c.id, c.status FROM cart.cart AS c WHERE {_MINE} FOR UPDATE),
changed AS (
    UPDATE cart.cart AS c SET coupon = CASE WHEN $4 THEN $5 ELSE c.coupon END,
        shipping_method = coalesce($6, c.shipping_method), updated_at = now()
    FROM mine WHERE c.id = mine.id AND mine.status = 'open'
)
SELECT status FROM mine
""",
)

DESCRIBE = Query(
    "cart.describe",
    f"""
WITH mine AS MATERIALIZED (SELECT c.id, c.status FROM cart.cart AS c WHERE {_MINE} FOR UPDATE),
changed AS (
    UPDATE cart.cart AS c SET email = coalesce($4, c.email), address = coalesce($5::jsonb, c.address),
        updated_at = now()
    FROM mine WHERE c.id = mine.id AND mine.status = 'open'
)
SELECT status FROM mine
""",
)

CLOSE = Query(
    "cart.close",
    f"""
WITH mine AS MATERIALIZED (
    SELECT c.id, a.email, a.address::jsonb AS address, a.shipping_method
    FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::text[], $5::text[], $6::text[])
        AS a(id, token_hash, customer_id, email, address, shipping_method)
    JOIN cart.cart AS c ON c.id = a.id AND (c.token_hash = a.token_hash OR c.customer_id = a.customer_id)
    WHERE c.status = 'open' ORDER BY c.id FOR UPDATE OF c
), closed AS (
    UPDATE cart.cart AS c SET status = 'ordered', email = coalesce(m.email, c.email,
            (SELECT r.email FROM accounts.reachable AS r WHERE r.customer_id = c.customer_id)),
        address = coalesce(m.address, c.address), shipping_method = coalesce(m.shipping_method, c.shipping_method),
        updated_at = now()
    FROM mine AS m WHERE c.id = m.id
    RETURNING c.id, c.currency, c.email, c.address, {_TERMS}, {_GROUP}
)
SELECT c.*, l.variant_id, l.quantity, s.product_id, s.sku, s.title, s.variant_title, s.categories, s.tax_class,
    s.weight_g, {_PRICE}
FROM closed AS c LEFT JOIN LATERAL cart.lines_of(c.id) AS l ON true
-- OFFSET 0: a look into the index for each line, however many the planner believes there to be.
LEFT JOIN LATERAL (SELECT * FROM catalog.sellable AS f WHERE f.variant_id = l.variant_id OFFSET 0) AS s ON true
{_PRICED}
ORDER BY c.id, l.added_at, l.id
""",
)

HOLD = Query(
    "cart.hold",
    f"""
WITH mine AS MATERIALIZED (SELECT c.id, c.status FROM cart.cart AS c WHERE {_MINE} FOR UPDATE)
SELECT m.status, l.variant_id, l.quantity FROM mine AS m LEFT JOIN LATERAL cart.lines_of(m.id) AS l ON true
ORDER BY l.added_at, l.id
""",
)

STATUS = Query("cart.status", f"SELECT c.status FROM cart.cart AS c WHERE {_MINE}")

REOPEN = Query(
    "cart.reopen",
    f"""
WITH source AS MATERIALIZED (
    SELECT c.id, c.customer_id, c.currency, c.coupon, c.address, c.shipping_method, c.expires_at FROM cart.cart AS c
    WHERE c.id = $1 AND c.status = 'ordered' FOR UPDATE
), newer AS MATERIALIZED (
    SELECT o.id, o.currency FROM cart.cart AS o JOIN source AS s ON s.customer_id = o.customer_id
    WHERE o.status = 'open' FOR UPDATE OF o
), target AS MATERIALIZED (SELECT n.id FROM newer AS n JOIN source AS s ON s.currency = n.currency),
{_moved("greatest(l.quantity, excluded.quantity)", "$2")}
UPDATE cart.cart AS c SET status = 'open', updated_at = now(), reminded_at = NULL,
    expires_at = greatest(c.expires_at, now() + interval '1 day')
FROM source AS s WHERE c.id = s.id AND NOT EXISTS (SELECT FROM newer)
""",
)

LEFT_BEHIND = Query(
    "cart.left_behind",
    """
WITH left_behind AS MATERIALIZED (
    SELECT c.id, coalesce(c.email, (SELECT r.email FROM accounts.reachable AS r WHERE r.customer_id = c.customer_id))
        AS email FROM cart.cart AS c
    WHERE c.status = 'open' AND c.reminded_at IS NULL AND (c.email IS NOT NULL OR c.customer_id IS NOT NULL)
        AND c.updated_at < $1
    ORDER BY c.updated_at LIMIT $2 FOR UPDATE SKIP LOCKED
), told AS (
    UPDATE cart.cart AS c SET reminded_at = now() FROM left_behind AS b WHERE c.id = b.id RETURNING c.id, b.email
)
SELECT t.id, t.email, s.title, s.variant_title, l.quantity
FROM told AS t LEFT JOIN cart.line AS l ON l.cart_id = t.id
LEFT JOIN catalog.sellable AS s ON s.variant_id = l.variant_id
WHERE t.email IS NOT NULL ORDER BY t.id, l.added_at, l.id
""",
)

FORGET = Query(
    "cart.forget",
    "UPDATE cart.cart SET email = NULL, address = NULL WHERE customer_id = $1 AND status = 'open'",
)

ERASE = Query(
    "cart.erase",
    """
WITH gone AS (DELETE FROM cart.cart WHERE customer_id = $1 AND status = 'open')
UPDATE cart.cart SET email = NULL, address = NULL WHERE customer_id = $1 AND status <> 'open'
""",
)

DROP_EXPIRED = Query(
    "cart.drop_expired",
    """
DELETE FROM cart.cart WHERE status = 'open' AND expires_at < now()
    AND id IN (SELECT id FROM cart.cart WHERE status = 'open' AND expires_at < now() LIMIT 10000)
""",
)
