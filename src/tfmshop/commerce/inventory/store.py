"""Every statement of the inventory. Stock is always locked in the order of variants and warehouses, and before the
reservations on it.
"""

from typing import Final

from tfmshop.platform.db import Copy, Query, Truth

_SHARED: Final = """
WITH wanted AS (
    SELECT w.variant_id, w.quantity, w.taker,
        sum(w.quantity) OVER (PARTITION BY w.variant_id ORDER BY w.taker) - w.quantity AS sooner,
        sum(w.quantity) OVER (PARTITION BY w.variant_id) AS whole
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS w(variant_id, quantity, taker)
), locked AS MATERIALIZED (
    SELECT s.variant_id, s.warehouse, s.product_id, s.available, s.backorder_limit, h.priority
    FROM inventory.stock AS s JOIN inventory.warehouse AS h ON h.code = s.warehouse
    WHERE s.variant_id = ANY($1 || ARRAY(
        SELECT r.variant_id FROM inventory.reservation AS r WHERE r.cart_id = ANY($4)))
    ORDER BY s.variant_id, s.warehouse FOR UPDATE OF s
), freed AS (
    DELETE FROM inventory.reservation AS r USING locked AS l
    WHERE r.variant_id = l.variant_id AND r.warehouse = l.warehouse
        AND (r.cart_id = ANY($4) OR r.expires_at <= now())
    RETURNING r.variant_id, r.warehouse, r.quantity
), shelf AS (
    SELECT l.variant_id, l.warehouse, l.product_id, l.priority, l.backorder_limit, l.available AS before,
        l.available + coalesce((SELECT sum(f.quantity) FROM freed AS f
            WHERE f.variant_id = l.variant_id AND f.warehouse = l.warehouse), 0)::bigint AS available
    FROM locked AS l
), source AS (
    SELECT variant_id, warehouse, false AS owed, priority, greatest(available, 0) AS units FROM shelf
    UNION ALL
    SELECT variant_id, warehouse, true, priority, least(available, 0) + backorder_limit FROM shelf
    WHERE backorder_limit > 0
), supply AS (
    SELECT variant_id, warehouse, units,
        sum(units) OVER (PARTITION BY variant_id ORDER BY owed, priority, warehouse) - units AS sooner,
        sum(units) OVER (PARTITION BY variant_id) AS whole
    FROM source
), given AS (
    SELECT w.taker, s.variant_id, s.warehouse, sum(least(s.sooner + s.units, w.sooner + w.quantity)
        - greatest(s.sooner, w.sooner))::bigint AS units
    FROM supply AS s JOIN wanted AS w ON w.variant_id = s.variant_id
    WHERE s.whole >= w.whole AND s.sooner < w.sooner + w.quantity AND w.sooner < s.sooner + s.units
    GROUP BY w.taker, s.variant_id, s.warehouse
), gone AS (
    SELECT variant_id, warehouse, sum(units)::bigint AS units FROM given GROUP BY variant_id, warehouse
), changed AS (
    UPDATE inventory.stock AS s SET available = n.available, updated_at = now()
    FROM (
        SELECT h.variant_id, h.warehouse, h.available - coalesce(g.units, 0) AS available
        FROM shelf AS h LEFT JOIN gone AS g ON g.variant_id = h.variant_id AND g.warehouse = h.warehouse
        WHERE g.units > 0 OR h.available <> h.before
    ) AS n WHERE s.variant_id = n.variant_id AND s.warehouse = n.warehouse
    RETURNING 1
)"""
"""$1, $2 and $3 are variants, how many of each, and who takes them; $4 carts whose reservations (and all expired ones
of these variants) are let go. `given` is what each taker gets from each warehouse: warehouses in turn, first what
lies there, then what may be owed, laid beside the takers one after the other; nothing of a variant that is short.
"""

_TELL: Final = """
SELECT t.variant_id, t.given, CASE WHEN (t.before > 0) <> (t.after > 0)
    THEN jobs.enqueue('inventory.stock_changed', convert_to(to_json(t.product_id)::text, 'UTF8')) END
FROM (
    SELECT h.variant_id, h.product_id, bool_or(g.units > 0) AS given, sum(h.before + h.backorder_limit) AS before,
        sum(h.available + h.backorder_limit - coalesce(g.units, 0)) AS after
    FROM shelf AS h LEFT JOIN gone AS g ON g.variant_id = h.variant_id AND g.warehouse = h.warehouse
    GROUP BY h.variant_id, h.product_id
) AS t
"""

TAKE = Query(
    "inventory.take",
    f"""{_SHARED}, noted AS (
    INSERT INTO inventory.movement (variant_id, warehouse, delta, reason, order_id)
    SELECT variant_id, warehouse, -units, 'sold', taker FROM given
){_TELL}""",
)

RESERVE = Query(
    "inventory.reserve",
    f"""{_SHARED}, held AS (
    INSERT INTO inventory.reservation (variant_id, warehouse, cart_id, quantity, expires_at)
    SELECT variant_id, warehouse, taker, units, $5 FROM given
){_TELL}""",
)

_RETURNED: Final = """
returned AS (
    UPDATE inventory.stock AS s SET available = s.available + b.units, updated_at = now()
    FROM back AS b WHERE s.variant_id = b.variant_id AND s.warehouse = b.warehouse
    RETURNING s.variant_id, s.product_id, s.available + s.backorder_limit AS after, b.units
)"""
_TELL_RETURNED: Final = """
SELECT r.variant_id, r.units, CASE WHEN r.after <= r.units
    THEN jobs.enqueue('inventory.stock_changed', convert_to(to_json(r.product_id)::text, 'UTF8')) END
FROM returned AS r"""

GIVE_BACK = Query(
    "inventory.give_back",
    f"""
WITH wanted AS (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS w(variant_id, quantity)),
out AS (
    SELECT m.variant_id, m.warehouse, -sum(m.delta) AS units FROM inventory.movement AS m
    WHERE m.order_id = $3 AND m.variant_id = ANY($1) GROUP BY m.variant_id, m.warehouse HAVING sum(m.delta) < 0
), locked AS MATERIALIZED (
    SELECT s.variant_id, s.warehouse, o.units FROM inventory.stock AS s
    JOIN out AS o ON o.variant_id = s.variant_id AND o.warehouse = s.warehouse
    ORDER BY s.variant_id, s.warehouse FOR UPDATE OF s
), queued AS (
    SELECT l.variant_id, l.warehouse, l.units, w.quantity,
        sum(l.units) OVER (PARTITION BY l.variant_id ORDER BY l.warehouse) - l.units AS sooner
    FROM locked AS l JOIN wanted AS w ON w.variant_id = l.variant_id
), back AS (
    SELECT variant_id, warehouse, least(units, quantity - sooner)::bigint AS units FROM queued WHERE sooner < quantity
), {_RETURNED}, noted AS (
    INSERT INTO inventory.movement (variant_id, warehouse, delta, reason, order_id)
    SELECT variant_id, warehouse, units, 'returned', $3 FROM back
){_TELL_RETURNED}
""",
)

_LET_GO: Final = f"""
locked AS MATERIALIZED (
    SELECT s.variant_id, s.warehouse FROM inventory.stock AS s
    JOIN due AS d ON d.variant_id = s.variant_id AND d.warehouse = s.warehouse
    ORDER BY s.variant_id, s.warehouse FOR UPDATE OF s
), gone AS (
    DELETE FROM inventory.reservation AS r USING locked AS l
    WHERE r.variant_id = l.variant_id AND r.warehouse = l.warehouse AND (r.cart_id = $1 OR r.expires_at <= now())
    RETURNING r.variant_id, r.warehouse, r.quantity
), back AS (
    SELECT variant_id, warehouse, sum(quantity)::bigint AS units FROM gone GROUP BY variant_id, warehouse
), {_RETURNED}{_TELL_RETURNED}"""

RELEASE = Query(
    "inventory.release",
    f"""
WITH due AS (SELECT DISTINCT variant_id, warehouse FROM inventory.reservation WHERE cart_id = $1), {_LET_GO}
""",
)

RELEASE_EXPIRED = Query(
    "inventory.release_expired",
    f"""
WITH late AS (
    SELECT variant_id, warehouse FROM inventory.reservation WHERE expires_at <= now() ORDER BY expires_at LIMIT 1000
), due AS (SELECT DISTINCT variant_id, warehouse FROM late), {_LET_GO} WHERE $1::uuid IS NULL
""",
)

SET = Query(
    "inventory.set_levels",
    """
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) AS w(variant_id, product_id, sku, available)
), locked AS MATERIALIZED (
    SELECT variant_id, available FROM inventory.stock WHERE variant_id = ANY($1) AND warehouse = $5
    ORDER BY variant_id FOR UPDATE
), saved AS (
    INSERT INTO inventory.stock AS s (variant_id, warehouse, product_id, sku, available)
    SELECT variant_id, $5, product_id, sku, available FROM wanted ORDER BY variant_id
    ON CONFLICT (variant_id, warehouse) DO UPDATE
        SET available = excluded.available, sku = excluded.sku, updated_at = now()
)
INSERT INTO inventory.movement (variant_id, warehouse, delta, reason)
SELECT w.variant_id, $5, w.available - coalesce(l.available, 0), 'set'
FROM wanted AS w LEFT JOIN locked AS l ON l.variant_id = w.variant_id
WHERE w.available <> coalesce(l.available, 0)
""",
)

COPY_LEVELS = Copy(
    "inventory.copy_levels", "inventory.stock", ("variant_id", "warehouse", "product_id", "sku", "available")
)
COPY_MOVEMENTS = Copy("inventory.copy_movements", "inventory.movement", ("variant_id", "warehouse", "delta", "reason"))

HOLD_LEVELS = Query(
    "inventory.hold_levels",
    """
SELECT variant_id, available FROM inventory.stock WHERE variant_id = ANY($1) AND warehouse = $2
ORDER BY variant_id FOR UPDATE
""",
)

ADD_WAREHOUSE = Query(
    "inventory.add_warehouse",
    """
INSERT INTO inventory.warehouse (code, name, priority) VALUES ($1, $2, $3)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority
""",
)

WAREHOUSES = Query(
    "inventory.list_warehouses", "SELECT code, name, priority FROM inventory.warehouse ORDER BY priority, code"
)

RULE = Query(
    "inventory.set_rules",
    """
UPDATE inventory.stock SET backorder_limit = coalesce($3, backorder_limit), low_at = coalesce($4, low_at)
WHERE variant_id = $1 AND warehouse = $2 RETURNING product_id
""",
)

FIND_VARIANT = Query(
    "inventory.find_variant",
    """
SELECT variant_id, product_id, sku FROM catalog.stockable WHERE sku = $1 OR slug = $1
ORDER BY sku <> $1, position LIMIT 1
""",
)

LEVELS = Query(
    "inventory.levels",
    """
SELECT variant_id, product_id, sku, available FROM inventory.stock WHERE variant_id = ANY($1) AND warehouse = 'main'
ORDER BY variant_id FOR UPDATE
""",
)

EVERYWHERE = Query(
    "inventory.hold_everywhere",
    """
SELECT warehouse, product_id, sku, available FROM inventory.stock WHERE variant_id = $1
ORDER BY variant_id, warehouse FOR UPDATE
""",
)

FREE = Query(
    "inventory.free",
    """
SELECT variant_id, min(sku) AS sku, sum(available + backorder_limit)::bigint AS available FROM inventory.stock
WHERE variant_id = ANY($1) GROUP BY variant_id
""",
)

STOCKED = Query(
    "inventory.stocked_products",
    """
SELECT product_id, bool_or(available + backorder_limit > 0) AS stocked FROM inventory.stock WHERE product_id = ANY($1)
GROUP BY product_id
""",
)

_LISTED: Final = """
SELECT s.sku, s.warehouse, s.available,
    coalesce((SELECT sum(r.quantity) FROM inventory.reservation AS r
        WHERE r.variant_id = s.variant_id AND r.warehouse = s.warehouse), 0)::bigint AS reserved,
    s.backorder_limit, s.low_at, s.updated_at
FROM """

LIST = Query(
    "inventory.list_levels",
    f"{_LISTED} inventory.stock AS s WHERE s.available <= $1 ORDER BY s.available, s.sku LIMIT $2",
)

LIST_LOW = Query(
    "inventory.list_low",
    f"""{_LISTED} inventory.low AS w JOIN inventory.stock AS s
    ON s.variant_id = w.variant_id AND s.warehouse = w.warehouse
WHERE s.available <= $1 ORDER BY s.available, s.sku LIMIT $2
""",
)

COUNT_LOW = Query(
    "inventory.count_low",
    """
SELECT count(*) AS low, count(*) FILTER (WHERE s.available <= 0) AS nothing FROM inventory.low AS w
JOIN inventory.stock AS s ON s.variant_id = w.variant_id AND s.warehouse = w.warehouse
""",
)

UNTOLD = Query(
    "inventory.untold_low",
    """
WITH news AS (
    UPDATE inventory.low SET told = true WHERE NOT told RETURNING variant_id, warehouse
)
SELECT s.sku, s.warehouse, s.available FROM news AS n
JOIN inventory.stock AS s ON s.variant_id = n.variant_id AND s.warehouse = n.warehouse ORDER BY s.available, s.sku
""",
)

HISTORY = Query(
    "inventory.list_movements",
    """
SELECT m.at, m.warehouse, m.delta, m.reason, m.order_id FROM inventory.movement AS m
WHERE m.variant_id = $1 ORDER BY m.id DESC LIMIT $2
""",
)

Truth(
    "what is free and what is reserved is the sum of the movements",
    Query(
        "inventory.truth_movements",
        """
SELECT s.sku FROM inventory.stock AS s
LEFT JOIN (SELECT variant_id, warehouse, sum(delta) AS total FROM inventory.movement GROUP BY 1, 2) AS m
    ON m.variant_id = s.variant_id AND m.warehouse = s.warehouse
LEFT JOIN (SELECT variant_id, warehouse, sum(quantity) AS total FROM inventory.reservation GROUP BY 1, 2) AS r
    ON r.variant_id = s.variant_id AND r.warehouse = s.warehouse
WHERE s.available + coalesce(r.total, 0) <> coalesce(m.total, 0)
""",
    ),
)
Truth(
    "no reservation is long past its time",
    Query(
        "inventory.truth_expired",
        """
SELECT s.sku FROM inventory.reservation AS r
JOIN inventory.stock AS s ON s.variant_id = r.variant_id AND s.warehouse = r.warehouse
WHERE r.expires_at < now() - interval '5 minutes'
""",
    ),
)
