"""Every statement about price lists and sales."""

from tfmshop.platform.db import Query

SET_LIST = Query(
    "pricing.set_list",
    """
INSERT INTO pricing.price_list AS l (code, name, currency, customer_group, starts_at, ends_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, currency = excluded.currency,
    customer_group = excluded.customer_group, starts_at = excluded.starts_at, ends_at = excluded.ends_at
    WHERE l.currency = excluded.currency OR NOT EXISTS (SELECT FROM pricing.price AS p WHERE p.list_code = l.code)
""",
)

HOLD_LIST = Query("pricing.hold_list", "SELECT code FROM pricing.price_list WHERE code = $1 FOR UPDATE")

LISTS = Query(
    "pricing.list_lists",
    """
SELECT l.code, l.name, l.currency, l.customer_group, l.starts_at, l.ends_at,
    (SELECT count(*) FROM pricing.price AS p WHERE p.list_code = l.code) AS prices
FROM pricing.price_list AS l ORDER BY l.code
""",
)

DROP_LIST = Query("pricing.drop_list", "DELETE FROM pricing.price_list WHERE code = $1")

SET_PRICES = Query(
    "pricing.set_prices",
    """
WITH wanted AS (SELECT w.sku, w.amount FROM unnest($2::text[], $3::bigint[]) AS w(sku, amount)),
found AS (SELECT o.id, w.sku, w.amount FROM wanted AS w JOIN catalog.offered AS o ON o.sku = w.sku),
kept AS (
    INSERT INTO pricing.price (variant_id, list_code, amount) SELECT id, $1, amount FROM found
    ON CONFLICT (variant_id, list_code) DO UPDATE SET amount = excluded.amount
)
SELECT w.sku FROM wanted AS w WHERE NOT EXISTS (SELECT FROM found AS f WHERE f.sku = w.sku)
""",
)

PRICES = Query(
    "pricing.list_prices",
    """
SELECT o.sku, p.amount FROM pricing.price AS p JOIN catalog.offered AS o ON o.id = p.variant_id
WHERE p.list_code = $1 ORDER BY o.sku LIMIT $2
""",
)

DROP_PRICE = Query(
    "pricing.drop_price",
    """
DELETE FROM pricing.price AS p USING catalog.offered AS o
WHERE o.id = p.variant_id AND o.sku = $2 AND p.list_code = $1
""",
)

PLAN_SALE = Query(
    "pricing.plan_sale",
    """
INSERT INTO pricing.sale (id, variant_id, price, starts_at, ends_at)
SELECT $1, o.id, $3, $4, $5 FROM catalog.offered AS o WHERE o.sku = $2
RETURNING (SELECT coalesce(r.regular, o.price) FROM catalog.offered AS o
    LEFT JOIN pricing.sale AS r ON r.variant_id = o.id AND r.state = 'running' WHERE o.sku = $2) AS regular
""",
)

_SALE = """s.id, o.sku, s.price, s.starts_at, s.ends_at, s.state, coalesce(s.regular, o.price) AS regular
FROM pricing.sale AS s JOIN catalog.offered AS o ON o.id = s.variant_id"""

SALES = Query(
    "pricing.list_sales", f"SELECT {_SALE} WHERE s.state <> 'over' OR $2 ORDER BY s.starts_at DESC, s.id LIMIT $1"
)

_STEP = """s.id, s.variant_id, o.product_id, s.price, s.state, s.regular, s.regular_compare
FROM pricing.sale AS s LEFT JOIN catalog.offered AS o ON o.id = s.variant_id"""

DUE_SALES = Query(
    "pricing.due_sales",
    f"""
SELECT s.ends_at <= now() AS ends, {_STEP}
WHERE (s.state = 'running' AND s.ends_at <= now()) OR (s.state = 'planned' AND s.starts_at <= now() AND NOT EXISTS (
    SELECT FROM pricing.sale AS r WHERE r.variant_id = s.variant_id AND r.state = 'running'))
ORDER BY s.starts_at LIMIT 100 FOR UPDATE OF s SKIP LOCKED
""",
)

HOLD_SALE = Query(
    "pricing.hold_sale", f"SELECT true AS ends, {_STEP} WHERE s.id = $1 AND s.state <> 'over' FOR UPDATE OF s"
)

ANOTHER_RUNS = Query(
    "pricing.another_sale_runs",
    "SELECT EXISTS (SELECT FROM pricing.sale WHERE variant_id = $1 AND id <> $2 AND state = 'running')",
)

PRICE_NOW = Query("pricing.price_now", "SELECT sku, price, compare_at_price FROM catalog.offered WHERE id = $1")

MOVE_SALE = Query(
    "pricing.move_sale", "UPDATE pricing.sale SET state = $2, regular = $3, regular_compare = $4 WHERE id = $1"
)
