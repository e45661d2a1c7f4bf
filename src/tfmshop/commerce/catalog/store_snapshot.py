"""The statements that take products as they are and put them back."""

from tfmshop.platform.db import Query

_PRODUCT = ("external_id", "slug", "title", "model", "description", "brand_id", "category_id", "status", "sku", "price",
            "compare_at_price", "currency", "badge", "image", "tags", "specifications", "published_at", "created_at",
            "updated_at", "version", "codes", "publish_at", "withdraw_at", "featured",
            "tax_class")  # fmt: skip
_VARIANT = ("sku", "title", "options", "price", "compare_at_price", "currency", "position", "weight_g", "barcode")

TAKE = Query(
    "catalog.take_snapshot",
    """
SELECT p.id, jsonb_build_object(
    'product', to_jsonb(p),
    'variants', (SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.position), '[]') FROM catalog.variant AS v
        WHERE v.product_id = p.id),
    'pictures', (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.position), '[]') FROM catalog.picture AS i
        WHERE i.product_id = p.id),
    'former_prices', (SELECT coalesce(jsonb_agg(f.id), '[]') FROM catalog.former_price AS f
        JOIN catalog.variant AS v ON v.id = f.variant_id WHERE v.product_id = p.id),
    'brand', (SELECT name FROM catalog.brand WHERE id = p.brand_id),
    'category', (SELECT string_agg(up.name, ' > ' ORDER BY array_position(c.ancestors, up.id))
        FROM catalog.category AS c JOIN catalog.category AS up ON up.id = ANY(c.ancestors) WHERE c.id = p.category_id)
)::text AS snapshot
FROM catalog.product AS p WHERE p.id = ANY($1)
""",
)

RESTORE_PRODUCTS = Query(
    "catalog.restore_products",
    f"""
UPDATE catalog.product AS p SET {", ".join(f"{name} = r.{name}" for name in _PRODUCT)}
FROM unnest($1::jsonb[]) AS s(snapshot)
CROSS JOIN LATERAL jsonb_populate_record(NULL::catalog.product, s.snapshot->'product') AS r
WHERE p.id = r.id
""",
)

_VARIANTS_IN = """unnest($1::jsonb[]) AS s(snapshot)
CROSS JOIN LATERAL jsonb_populate_recordset(NULL::catalog.variant, s.snapshot->'variants') AS r"""

DROP_NEW_VARIANTS = Query(
    "catalog.drop_new_variants",
    """
DELETE FROM catalog.variant AS v WHERE v.product_id = ANY($1) AND v.id <> ALL($3::uuid[]) AND v.id NOT IN (
    SELECT (r->>'id')::uuid FROM unnest($2::jsonb[]) AS s(snapshot)
    CROSS JOIN LATERAL jsonb_array_elements(s.snapshot->'variants') AS r)
""",
)

MAKE_ROOM = Query(
    "catalog.make_room",
    """
UPDATE catalog.variant AS v SET position = v.position + 1000000, sku = CASE WHEN v.id IN (
    SELECT (r->>'id')::uuid FROM unnest($2::jsonb[]) AS s(snapshot)
    CROSS JOIN LATERAL jsonb_array_elements(s.snapshot->'variants') AS r) THEN v.id::text ELSE v.sku END
WHERE v.product_id = ANY($1)
""",
)

RESTORE_VARIANTS = Query(
    "catalog.restore_variants",
    f"""
INSERT INTO catalog.variant AS v SELECT r.* FROM {_VARIANTS_IN}
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _VARIANT)}
RETURNING v.id, v.product_id, v.sku, v.xmax = 0 AS again
""",
)

RESTORE_PRICED_AT = Query(
    "catalog.restore_priced_at",
    f"UPDATE catalog.variant AS v SET priced_at = r.priced_at FROM {_VARIANTS_IN} WHERE v.id = r.id",
)

DROP_NEW_PRICES = Query(
    "catalog.drop_new_prices",
    """
DELETE FROM catalog.former_price AS f USING catalog.variant AS v
WHERE v.id = f.variant_id AND v.product_id = ANY($1) AND f.id NOT IN (
    SELECT r::text::bigint FROM unnest($2::jsonb[]) AS s(snapshot)
    CROSS JOIN LATERAL jsonb_array_elements(s.snapshot->'former_prices') AS r)
""",
)

DROP_PICTURES_OF = Query("catalog.drop_pictures_of", "DELETE FROM catalog.picture WHERE product_id = ANY($1)")

RESTORE_PICTURES = Query(
    "catalog.restore_pictures",
    """
INSERT INTO catalog.picture SELECT r.* FROM unnest($1::jsonb[]) AS s(snapshot)
CROSS JOIN LATERAL jsonb_populate_recordset(NULL::catalog.picture, s.snapshot->'pictures') AS r
""",
)

DROP_PRODUCTS = Query("catalog.drop_products", "DELETE FROM catalog.product WHERE id = ANY($1)")

ARCHIVE = Query(
    "catalog.archive_products",
    """
UPDATE catalog.product SET status = 'archived', updated_at = now(), version = version + 1
WHERE id = ANY($1) AND status <> 'archived'
""",
)

DROP_UNUSED_CATEGORIES = Query(
    "catalog.drop_unused_category",
    """
DELETE FROM catalog.category AS c WHERE c.id = $1
    AND NOT EXISTS (SELECT FROM catalog.product WHERE category_id = c.id)
    AND NOT EXISTS (SELECT FROM catalog.category WHERE parent_id = c.id)
""",
)

DROP_UNUSED_BRANDS = Query(
    "catalog.drop_unused_brands",
    """
DELETE FROM catalog.brand AS b WHERE b.id = ANY($1)
    AND NOT EXISTS (SELECT FROM catalog.product WHERE brand_id = b.id)
""",
)
