"""The statements that change single products, the tree of categories, and attributes."""

from tfmshop.platform.db import Query

VERSION_OF = Query("catalog.version_of", "SELECT id, version FROM catalog.product WHERE id = $1::uuid OR slug = $2")
FIND_PRODUCT = Query(
    "catalog.find_product",
    """
SELECT id, version, title, slug, model, description, category_id, status, tags, specifications, badge, featured,
    publish_at, withdraw_at, tax_class, brand_id AS brand
FROM catalog.product WHERE id = $1::uuid OR slug = $2 FOR NO KEY UPDATE
""",
)

FIND_BRAND = Query("catalog.find_brand", "SELECT id FROM catalog.brand WHERE name_key = $1 FOR KEY SHARE")

ADD_BRAND = Query(
    "catalog.add_brand",
    """
INSERT INTO catalog.brand (id, slug, name, name_key)
SELECT n.id, CASE WHEN n.slug = '' OR EXISTS (SELECT FROM catalog.brand WHERE slug = n.slug)
    THEN ltrim(n.slug || '-' || right(n.id::text, 12), '-') ELSE n.slug END, n.name, n.name_key
FROM (SELECT $1::uuid, $2::text, $3::text, $4::text) AS n(id, slug, name, name_key)
ON CONFLICT DO NOTHING
""",
)

CHANGE_PRODUCT = Query(
    "catalog.change_product",
    """
UPDATE catalog.product SET title = $2, slug = $3, model = $4, description = $5, category_id = $6, status = $7,
    tags = $8, specifications = $9, badge = $10, featured = $11, publish_at = $12, withdraw_at = $13,
    tax_class = $14, brand_id = $15, updated_at = now(), version = version + 1
WHERE id = $1 RETURNING version
""",
)

NOTE_SLUG = Query(
    "catalog.note_slug",
    """
INSERT INTO catalog.former_slug (slug, product_id) VALUES ($1, $2)
ON CONFLICT (slug) DO UPDATE SET product_id = excluded.product_id
""",
)

TAKE_BACK_SLUG = Query("catalog.take_back_slug", "DELETE FROM catalog.former_slug WHERE slug = $1 AND product_id = $2")

HOLD = Query(
    "catalog.hold_product",
    """
SELECT id FROM catalog.product
WHERE id = $1::uuid OR slug = $2 OR id = (SELECT product_id FROM catalog.variant WHERE sku = $3)
    OR id = (SELECT product_id FROM catalog.picture WHERE id = $4)
FOR NO KEY UPDATE
""",
)

CHANGE_VARIANT = Query(
    "catalog.change_variant",
    """
UPDATE catalog.variant AS v SET
    title = CASE WHEN $3 THEN $2::text ELSE title END,
    price = CASE WHEN $5 THEN $4::bigint ELSE price END,
    compare_at_price = CASE WHEN $7 THEN $6::bigint ELSE compare_at_price END,
    weight_g = CASE WHEN $9 THEN $8::integer ELSE weight_g END,
    barcode = CASE WHEN $11 THEN $10::text ELSE barcode END,
    sku = CASE WHEN $13 THEN $12::text ELSE sku END,
    options = CASE WHEN $15 THEN $14::jsonb ELSE options END
WHERE sku = $1
RETURNING product_id, position = (SELECT min(position) FROM catalog.variant WHERE product_id = v.product_id) AS leads
""",
)

ADD_VARIANT = Query(
    "catalog.add_variant",
    """
INSERT INTO catalog.variant (id, product_id, sku, title, options, price, compare_at_price, currency, position, weight_g,
    barcode)
SELECT $1, p.id, $3, $4, $5::jsonb, $6::bigint, $7::bigint, p.currency, there.next, $8::integer, $9::text
FROM catalog.product AS p CROSS JOIN LATERAL (
    SELECT coalesce(max(position), -1) + 1 AS next, count(*) AS several FROM catalog.variant WHERE product_id = p.id
) AS there
WHERE p.id = $2 AND there.several < $10
RETURNING id
""",
)

VARIANT_OF = Query("catalog.variant_of", "SELECT id FROM catalog.variant WHERE product_id = $1 AND sku = $2")

DROP_VARIANT = Query(
    "catalog.drop_variant",
    """
WITH gone AS (
    DELETE FROM catalog.variant AS v WHERE v.id = $1
        AND EXISTS (SELECT FROM catalog.variant AS o WHERE o.product_id = v.product_id AND o.id <> v.id)
    RETURNING v.id, v.sku,
        v.position = (SELECT min(position) FROM catalog.variant WHERE product_id = v.product_id) AS leads
), shown AS (UPDATE catalog.picture SET variant_id = NULL WHERE variant_id IN (SELECT id FROM gone))
SELECT sku, leads FROM gone
""",
)

LEAD_SKU = Query(
    "catalog.lead_sku",
    """
UPDATE catalog.product AS p SET updated_at = now(), version = version + 1, sku = CASE
    WHEN sku <> $2 OR NOT $3 THEN sku
    ELSE (SELECT sku FROM catalog.variant WHERE product_id = $1 ORDER BY position LIMIT 1) END
WHERE id = $1
""",
)

PICTURES_OF = Query(
    "catalog.pictures_of",
    """
SELECT i.id, i.url, i.alt, v.sku FROM catalog.picture AS i LEFT JOIN catalog.variant AS v ON v.id = i.variant_id
WHERE i.product_id = $1 ORDER BY i.position
""",
)

ADD_PICTURE = Query(
    "catalog.add_picture",
    """
INSERT INTO catalog.picture (id, product_id, url, alt, position, variant_id)
SELECT $1, p.id, $3, $4, (SELECT coalesce(max(position), -1) + 1 FROM catalog.picture WHERE product_id = p.id), v.id
FROM catalog.product AS p LEFT JOIN catalog.variant AS v ON v.product_id = p.id AND v.sku = $5
WHERE p.id = $2 AND ($5::text IS NULL OR v.id IS NOT NULL)
RETURNING id
""",
)

LEAD_PICTURE = Query(
    "catalog.lead_picture",
    """
UPDATE catalog.product AS p SET image = coalesce(p.image, i.url), updated_at = now(), version = p.version + 1
FROM catalog.picture AS i WHERE i.id = $1 AND p.id = i.product_id
""",
)

DESCRIBE_PICTURE = Query(
    "catalog.describe_picture",
    """
UPDATE catalog.picture AS i SET alt = $2 FROM (SELECT id, alt FROM catalog.picture WHERE id = $1) AS o WHERE i.id = o.id
RETURNING o.alt
""",
)

ORDER_PICTURES = Query(
    "catalog.order_pictures",
    """
UPDATE catalog.picture AS i SET position = o.base + o.nth
FROM (SELECT p.id, max(p.position) OVER () + 1 AS base,
        row_number() OVER (ORDER BY w.nth NULLS LAST, p.position)::integer AS nth, w.nth IS NOT NULL AS named
    FROM catalog.picture AS p LEFT JOIN unnest($2::uuid[]) WITH ORDINALITY AS w(id, nth) ON w.id = p.id
    WHERE p.product_id = $1) AS o
WHERE i.id = o.id
RETURNING o.named
""",
)

DROP_PICTURE = Query("catalog.drop_picture", "DELETE FROM catalog.picture WHERE id = $1 RETURNING product_id")

NEXT_PICTURE = Query(
    "catalog.next_picture",
    """
UPDATE catalog.product SET updated_at = now(), version = version + 1,
    image = (SELECT url FROM catalog.picture WHERE product_id = $1 ORDER BY position LIMIT 1)
WHERE id = $1
""",
)

DROP_RELATED = Query(
    "catalog.drop_related", "DELETE FROM catalog.related WHERE product_id = $1 RETURNING other_id, position"
)

SET_RELATED = Query(
    "catalog.set_related",
    """
INSERT INTO catalog.related (product_id, other_id, position)
SELECT $1, o.id, o.position FROM unnest($2::uuid[]) WITH ORDINALITY AS o(id, position) ON CONFLICT DO NOTHING
""",
)

PUBLISH_DUE = Query(
    "catalog.publish_due",
    """
UPDATE catalog.product SET status = 'active', published_at = publish_at, publish_at = NULL,
    updated_at = now(), version = version + 1
WHERE status = 'draft' AND publish_at IS NOT NULL AND publish_at <= now()
""",
)

WITHDRAW_DUE = Query(
    "catalog.withdraw_due",
    """
UPDATE catalog.product SET status = 'archived', withdraw_at = NULL, updated_at = now(), version = version + 1
WHERE status = 'active' AND withdraw_at IS NOT NULL AND withdraw_at <= now()
""",
)

ADD_UP_COUNTS = Query(
    "catalog.add_up_counts",
    """
WITH gone AS (DELETE FROM catalog.count_change RETURNING category_id, change),
sums AS (SELECT category_id, sum(change) AS change FROM gone GROUP BY category_id)
UPDATE catalog.category AS c SET products = c.products + s.change FROM sums AS s WHERE c.id = s.category_id
""",
)

FIND_CATEGORY = Query("catalog.find_category", "SELECT id FROM catalog.category WHERE id = $1::uuid OR slug = $2")

LOCK_TREE = Query("catalog.lock_tree", "SELECT pg_advisory_xact_lock(hashtext('catalog.category'))")

ADD_CATEGORY = Query(
    "catalog.add_category",
    """
INSERT INTO catalog.category (id, parent_id, slug, name, ancestors, position)
SELECT $1::uuid, $2::uuid, $3, $4, coalesce(p.ancestors, '{}') || $1::uuid,
    (SELECT coalesce(max(position), -1) + 1 FROM catalog.category WHERE parent_id IS NOT DISTINCT FROM $2::uuid)
FROM (SELECT 1) AS one LEFT JOIN catalog.category AS p ON p.id = $2::uuid
WHERE coalesce(cardinality(p.ancestors), 0) < $5
""",
)

HOLD_BRANCH = Query(
    "catalog.hold_branch", "SELECT id FROM catalog.category WHERE ancestors @> ARRAY[$1::uuid] ORDER BY id FOR UPDATE"
)

RENAME_CATEGORY = Query(
    "catalog.rename_category", "UPDATE catalog.category SET name = $2, slug = coalesce($3, slug) WHERE id = $1"
)

NOTE_CATEGORY_SLUG = Query(
    "catalog.note_category_slug",
    """
INSERT INTO catalog.former_category_slug (slug, category_id)
SELECT slug, id FROM catalog.category WHERE id = $1 AND slug <> $2
ON CONFLICT (slug) DO UPDATE SET category_id = excluded.category_id
""",
)

TAKE_BACK_CATEGORY_SLUG = Query(
    "catalog.take_back_category_slug", "DELETE FROM catalog.former_category_slug WHERE slug = $1 AND category_id = $2"
)

MOVE_CATEGORY = Query(
    "catalog.move_category",
    """
WITH moved AS (SELECT id, ancestors FROM catalog.category WHERE id = $1),
parent AS (SELECT coalesce((SELECT ancestors FROM catalog.category WHERE id = $2::uuid), '{}') AS ancestors),
below AS (
    SELECT c.id, parent.ancestors || c.ancestors[cardinality(moved.ancestors):] AS ancestors
    FROM moved CROSS JOIN parent JOIN catalog.category AS c ON c.ancestors @> ARRAY[moved.id]
    WHERE NOT parent.ancestors @> ARRAY[moved.id]
)
UPDATE catalog.category AS c SET ancestors = below.ancestors,
    parent_id = CASE WHEN c.id = $1 THEN $2::uuid ELSE c.parent_id END
FROM below WHERE c.id = below.id AND (SELECT max(cardinality(ancestors)) FROM below) <= $3
""",
)

SISTERS = Query(
    "catalog.sister_categories",
    """
SELECT slug FROM catalog.category
WHERE parent_id IS NOT DISTINCT FROM (SELECT parent_id FROM catalog.category WHERE id = $1) ORDER BY position, name
""",
)

ORDER_CATEGORIES = Query(
    "catalog.order_categories",
    """
UPDATE catalog.category AS c SET position = n.position
FROM (
    SELECT s.id, row_number() OVER (
        PARTITION BY s.parent_id ORDER BY array_position($1::uuid[], s.id), s.position, s.name) AS position
    FROM catalog.category AS s
    WHERE s.parent_id IS NOT DISTINCT FROM (SELECT parent_id FROM catalog.category WHERE id = ($1::uuid[])[1])
) AS n
WHERE c.id = n.id
""",
)

DROP_CATEGORY = Query("catalog.drop_category", "DELETE FROM catalog.category WHERE id = $1")

DEFINE_ATTRIBUTE = Query(
    "catalog.define_attribute",
    """
INSERT INTO catalog.attribute (id, category_id, name, label, kind, unit) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (category_id, name) DO UPDATE SET label = excluded.label, kind = excluded.kind, unit = excluded.unit
""",
)

DROP_ATTRIBUTE = Query(
    "catalog.drop_attribute",
    "DELETE FROM catalog.attribute WHERE category_id IS NOT DISTINCT FROM $1::uuid AND name = $2",
)

OWN_ATTRIBUTE = Query(
    "catalog.own_attribute",
    "SELECT name, label, kind, unit FROM catalog.attribute WHERE category_id = $1 AND name = $2",
)

ATTRIBUTES = Query(
    "catalog.list_attributes",
    """
SELECT DISTINCT ON (w.id, a.name) w.id AS category_id, a.name, a.label, a.kind, a.unit
FROM unnest($1::uuid[]) AS w(id) LEFT JOIN catalog.category AS own ON own.id = w.id
JOIN catalog.attribute AS a ON a.category_id IS NULL OR a.category_id = ANY(own.ancestors)
LEFT JOIN catalog.category AS c ON c.id = a.category_id
ORDER BY w.id, a.name, cardinality(c.ancestors) DESC NULLS LAST
""",
)
