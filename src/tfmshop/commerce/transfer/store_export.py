"""The statements of exports, over what the catalogue and the inventory publish."""

from tfmshop.platform.db import Query

COUNT = Query("transfer.count_products", "SELECT count(*) FROM catalog.exportable")

PAGE = Query(
    "transfer.export_page",
    """
SELECT p.id, jsonb_build_object(
    'external_id', p.external_id, 'sku', p.sku, 'slug', p.slug, 'title', p.title, 'status', p.status,
    'price', p.price, 'compare_at_price', p.compare_at_price, 'currency', p.currency, 'brand', p.brand,
    'category', p.category, 'model', p.model, 'description', p.description, 'tags', p.tags, 'badge', p.badge,
    'pictures', p.pictures, 'specifications', p.specifications, 'published_at', p.published_at,
    'tax_class', p.tax_class,
    'stock', CASE WHEN v.several THEN NULL ELSE v.stock END, 'variants', CASE WHEN v.several THEN v.variants END
)::text AS product
FROM catalog.exportable AS p CROSS JOIN LATERAL (
    SELECT count(*) > 1 OR bool_or(o.options <> '{}' OR o.weight_g IS NOT NULL OR o.barcode IS NOT NULL) AS several,
        sum(s.available) AS stock,
        jsonb_agg(jsonb_strip_nulls(jsonb_build_object('sku', o.sku, 'title', o.title, 'options', o.options,
            'price', o.price, 'stock', coalesce(s.available, 0), 'weight_g', o.weight_g, 'barcode', o.barcode))
            || jsonb_build_object('compare_at_price', o.compare_at_price) ORDER BY o.position) AS variants
    FROM catalog.offered AS o LEFT JOIN inventory.main_level AS s ON s.variant_id = o.id WHERE o.product_id = p.id
) AS v
WHERE p.id > $1 ORDER BY p.id LIMIT $2
""",
)
