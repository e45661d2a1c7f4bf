"""Every statement of the inventory. Rows are always locked in the order of variant ids."""

from tfmshop.platform.db import Query, Truth

TAKE = Query(
    "inventory.take",
    """
WITH wanted AS (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS w(variant_id, quantity)),
locked AS MATERIALIZED (
    SELECT variant_id FROM inventory.stock WHERE variant_id = ANY($1) ORDER BY variant_id FOR UPDATE
), taken AS (
    UPDATE inventory.stock AS s SET available = s.available - w.quantity, updated_at = now()
    FROM wanted AS w JOIN locked AS l ON l.variant_id = w.variant_id
    WHERE s.variant_id = w.variant_id AND s.available >= w.quantity
    RETURNING s.variant_id, s.product_id, s.available, w.quantity
), noted AS (
    INSERT INTO inventory.movement (variant_id, delta, reason, order_id)
    SELECT variant_id, -quantity, 'sold', $3 FROM taken
)
SELECT variant_id,
    CASE WHEN available = 0 THEN jobs.enqueue('inventory.stock_changed', convert_to(to_json(product_id)::text, 'UTF8'))
    END
FROM taken
""",
)

GIVE_BACK = Query(
    "inventory.give_back",
    """
WITH returned AS (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS w(variant_id, quantity)),
locked AS MATERIALIZED (
    SELECT variant_id FROM inventory.stock WHERE variant_id = ANY($1) ORDER BY variant_id FOR UPDATE
), changed AS (
    UPDATE inventory.stock AS s SET available = s.available + r.quantity, updated_at = now()
    FROM returned AS r JOIN locked AS l ON l.variant_id = r.variant_id
    WHERE s.variant_id = r.variant_id
    RETURNING s.variant_id, s.product_id, s.available, r.quantity
), noted AS (
    INSERT INTO inventory.movement (variant_id, delta, reason, order_id)
    SELECT variant_id, quantity, 'returned', $3 FROM changed
)
SELECT variant_id,
    CASE WHEN available = quantity
        THEN jobs.enqueue('inventory.stock_changed', convert_to(to_json(product_id)::text, 'UTF8')) END
FROM changed
""",
)

SET = Query(
    "inventory.set_levels",
    """
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[]) AS w(variant_id, product_id, sku, available)
), locked AS MATERIALIZED (
    SELECT variant_id, available FROM inventory.stock WHERE variant_id = ANY($1) ORDER BY variant_id FOR UPDATE
), saved AS (
    INSERT INTO inventory.stock AS s (variant_id, product_id, sku, available)
    SELECT variant_id, product_id, sku, available FROM wanted ORDER BY variant_id
    ON CONFLICT (variant_id) DO UPDATE SET available = excluded.available, sku = excluded.sku, updated_at = now()
)
INSERT INTO inventory.movement (variant_id, delta, reason)
SELECT w.variant_id, w.available - coalesce(l.available, 0), 'set'
FROM wanted AS w LEFT JOIN locked AS l ON l.variant_id = w.variant_id
WHERE w.available <> coalesce(l.available, 0)
""",
)


FIND_VARIANT = Query(
    "inventory.find_variant",
    """
SELECT variant_id, product_id, sku FROM catalog.sellable WHERE sku = $1 OR slug = $1
ORDER BY sku <> $1, position LIMIT 1
""",
)

LEVELS = Query(
    "inventory.levels",
    """
SELECT variant_id, product_id, sku, available FROM inventory.stock WHERE variant_id = ANY($1)
ORDER BY variant_id FOR UPDATE
""",
)

FREE = Query("inventory.free", "SELECT variant_id, sku, available FROM inventory.stock WHERE variant_id = ANY($1)")

STOCKED = Query(
    "inventory.stocked_products",
    """
SELECT product_id, bool_or(available > 0) AS stocked FROM inventory.stock WHERE product_id = ANY($1)
GROUP BY product_id
""",
)

LIST = Query(
    "inventory.list_levels",
    """
SELECT sku, available, updated_at FROM inventory.stock WHERE available <= $1 ORDER BY available, sku LIMIT $2
""",
)

Truth(
    "stock equals the sum of its movements",
    Query(
        "inventory.truth_movements",
        """
SELECT s.sku FROM inventory.stock AS s
LEFT JOIN (SELECT variant_id, sum(delta) AS total FROM inventory.movement GROUP BY variant_id) AS m
    ON m.variant_id = s.variant_id
WHERE s.available <> coalesce(m.total, 0)
""",
    ),
)
