"""The statements of the catalogue that read products and categories, and that load many products at once."""

from tfmshop.platform.db import Copy, Query, Truth

ITEM = """p.id, p.slug, p.sku, p.external_id, p.title, b.name, p.price, p.compare_at_price, p.currency,
    p.rating, p.review_count, p.in_stock, p.image, p.badge"""
_MONEY = "json_build_object('amount', {0}, 'currency', {1})"


def _money(amount: str, currency: str) -> str:
    return f"CASE WHEN {amount} IS NOT NULL THEN {_MONEY.format(amount, currency)} END"


# The lowest price of the 30 days before the present one began (Directive 98/6/EC, article 6a), if it ever changed.
_LOWEST = """(SELECT min(f.price) FROM catalog.former_price AS f
    WHERE f.variant_id = v.id AND f.currency = v.currency AND f.ended_at > v.priced_at - interval '30 days')"""

_ITEM_JSON = f"""json_build_object('id', p.id, 'slug', p.slug, 'sku', p.sku, 'external_id', p.external_id,
    'title', p.title, 'brand', b.name, 'price', {_money("p.price", "p.currency")},
    'compare_at_price', {_money("p.compare_at_price", "p.currency")}, 'rating', round(p.rating::numeric, 2),
    'review_count', p.review_count, 'in_stock', p.in_stock, 'image', p.image, 'badge', p.badge)"""

_CRUMBS = """(SELECT coalesce(json_agg(json_build_object('id', up.id, 'slug', up.slug, 'name', up.name)
        ORDER BY array_position(here.ancestors, up.id)), '[]')
    FROM catalog.category AS here JOIN catalog.category AS up ON up.id = ANY(here.ancestors) WHERE here.id = {0})"""

# The products that were chosen, then the newest of the same category.
_RELATED = f"""(SELECT coalesce(json_agg(r.item), '[]') FROM (
        SELECT {_ITEM_JSON.replace("p.", "o.").replace("b.name", "ob.name")} AS item
        FROM ((SELECT other_id AS id, position, now() AS at FROM catalog.related WHERE product_id = {{0}})
            UNION ALL (SELECT n.id, 1000000, n.published_at FROM catalog.product AS n
                WHERE n.status = 'active' AND n.category_id = {{1}} AND n.id <> {{0}}
                    AND NOT EXISTS (SELECT FROM catalog.related WHERE product_id = {{0}} AND other_id = n.id)
                ORDER BY n.published_at DESC, n.id DESC LIMIT {{2}})) AS chosen
        JOIN catalog.product AS o ON o.id = chosen.id AND o.status = 'active'
        LEFT JOIN catalog.brand AS ob ON ob.id = o.brand_id
        ORDER BY chosen.position, chosen.at DESC, o.id DESC LIMIT {{2}}) AS r)"""

SHOW_PRODUCT = Query(
    "catalog.show_product",
    f"""
SELECT {ITEM.replace("p.in_stock", "vs.in_stock")}, p.model, p.description, p.tags, p.specifications, p.published_at,
    p.updated_at, p.version, vs.variants, vs.has_options,
    (SELECT coalesce(json_agg(json_build_object('id', i.id, 'url', i.url, 'alt', i.alt, 'variant_id', i.variant_id)
            ORDER BY i.position), '[]')
        FROM catalog.picture AS i WHERE i.product_id = p.id) AS pictures,
    {_CRUMBS.format("p.category_id")} AS breadcrumbs,
    {_RELATED.format("p.id", "p.category_id", 4)} AS related,
    (SELECT coalesce(json_object_agg(a.name,
            json_build_object('label', a.label, 'kind', a.kind, 'unit', a.unit)), '{{}}')
        FROM (SELECT DISTINCT ON (a.name) a.name, a.label, a.kind, a.unit FROM catalog.attribute AS a
            LEFT JOIN catalog.category AS ac ON ac.id = a.category_id
            WHERE p.specifications ? a.name AND (a.category_id IS NULL OR a.category_id = ANY(
                (SELECT ancestors FROM catalog.category WHERE id = p.category_id)::uuid[]))
            ORDER BY a.name, cardinality(ac.ancestors) DESC NULLS LAST) AS a) AS attributes
FROM catalog.product AS p LEFT JOIN catalog.brand AS b ON b.id = p.brand_id
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('id', v.id, 'sku', v.sku, 'title', v.title, 'options', v.options,
            'price', {_money("v.price", "v.currency")},
            'compare_at_price', {_money("v.compare_at_price", "v.currency")},
            'available', s.available, 'in_stock', s.available > 0,
            'weight_g', v.weight_g, 'barcode', v.barcode, 'lowest_price_30_days', {_money(_LOWEST, "v.currency")}
            ) ORDER BY v.position
        ) AS variants, coalesce(bool_or(s.available > 0), false) AS in_stock,
        bool_or(v.options <> '{{}}') AS has_options
    FROM catalog.variant AS v CROSS JOIN LATERAL inventory.available_to(v.id, NULL) AS s
    WHERE v.product_id = p.id
) AS vs
WHERE p.status = 'active' AND (p.id = $1::uuid OR p.slug = $2)
""",
)

LIST_CATEGORIES = Query(
    "catalog.list_categories",
    """
SELECT id, slug, name, parent_id, products FROM catalog.category_tree ORDER BY position, name, id
""",
)

SHOW_CATEGORY = Query(
    "catalog.show_category",
    f"""
WITH wanted AS MATERIALIZED (SELECT id FROM catalog.category WHERE id = $1::uuid OR slug = $2),
counts AS MATERIALIZED (
    SELECT a.id, sum(c.products)::bigint AS products
    FROM wanted JOIN catalog.category_tree AS c ON c.ancestors @> ARRAY[wanted.id]
    CROSS JOIN LATERAL unnest(c.ancestors) AS a(id)
    GROUP BY a.id
)
SELECT c.id, c.slug, c.name, (SELECT products FROM counts WHERE id = c.id),
    {_CRUMBS.format("c.id")} AS breadcrumbs,
    (SELECT coalesce(json_agg(json_build_object('id', k.id, 'slug', k.slug, 'name', k.name,
            'parent_id', k.parent_id, 'product_count', n.products) ORDER BY k.position, k.name), '[]')
        FROM catalog.category AS k JOIN counts AS n ON n.id = k.id WHERE k.parent_id = c.id) AS children
FROM catalog.category AS c JOIN wanted ON wanted.id = c.id
""",
)

MOVED_PRODUCT = Query(
    "catalog.moved_product",
    """
SELECT p.slug FROM catalog.former_slug AS f JOIN catalog.product AS p ON p.id = f.product_id
WHERE f.slug = $1 AND p.status = 'active'
""",
)

MOVED_CATEGORY = Query(
    "catalog.moved_category",
    """
SELECT c.slug FROM catalog.former_category_slug AS f JOIN catalog.category AS c ON c.id = f.category_id
WHERE f.slug = $1
""",
)

RELATED = Query(
    "catalog.list_related",
    f"""
SELECT {_RELATED.format("p.id", "p.category_id", "$3")} FROM catalog.product AS p
WHERE p.status = 'active' AND (p.id = $1::uuid OR p.slug = $2)
""",
)

FEATURED = Query(
    "catalog.list_featured",
    f"""
SELECT {ITEM} FROM catalog.product AS p LEFT JOIN catalog.brand AS b ON b.id = p.brand_id
WHERE p.status = 'active' AND p.featured ORDER BY p.published_at DESC, p.id DESC LIMIT $1
""",
)

FIND_CATEGORIES = Query("catalog.find_categories", "SELECT id, slug, name, parent_id, ancestors FROM catalog.category")

ADD_CATEGORIES = Query(
    "catalog.add_categories",
    """
INSERT INTO catalog.category (id, parent_id, slug, name, position, ancestors)
SELECT c.id, c.parent_id, c.slug, c.name, c.position, string_to_array(c.ancestors, ' ')::uuid[]
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::integer[], $6::text[])
    AS c(id, parent_id, slug, name, position, ancestors)
""",
)

FIND_BRANDS = Query("catalog.find_brands", "SELECT id, slug, name_key FROM catalog.brand")

ADD_BRANDS = Query(
    "catalog.add_brands",
    """
INSERT INTO catalog.brand (id, slug, name, name_key)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
""",
)

FIND_IMPORTED = Query(
    "catalog.find_imported",
    """
SELECT p.id, p.external_id, p.sku, p.category_id, array_agg(v.sku ORDER BY v.position) AS skus,
    array_agg(v.id ORDER BY v.position) AS variants, max(v.position) AS last
FROM (
    SELECT id, external_id, sku, category_id FROM catalog.product WHERE external_id = ANY($1)
    UNION
    SELECT id, external_id, sku, category_id FROM catalog.product WHERE sku = ANY($2) AND external_id IS NULL
    UNION
    SELECT o.id, o.external_id, o.sku, o.category_id
    FROM catalog.variant AS s JOIN catalog.product AS o ON o.id = s.product_id AND o.sku = s.sku WHERE s.sku = ANY($2)
) AS p
JOIN catalog.variant AS v ON v.product_id = p.id
GROUP BY p.id, p.external_id, p.sku, p.category_id
""",
)

FIND_VARIANTS = Query("catalog.find_variants", "SELECT sku, product_id FROM catalog.variant WHERE sku = ANY($1)")

TAKEN_SLUGS = Query(
    "catalog.taken_slugs",
    """
SELECT slug FROM catalog.product WHERE slug = ANY($1)
UNION ALL SELECT slug FROM catalog.former_slug WHERE slug = ANY($1)
""",
)

STAGE_PRODUCTS = Copy("catalog.stage_products", "catalog.staged", (
    "batch", "id", "external_id", "slug", "title", "model", "description", "brand_id", "brand", "category_id", "sku",
    "price", "compare_at_price", "currency", "image", "tags", "specifications", "published_at", "rating",
    "review_count", "popularity", "badge", "in_stock", "codes", "status", "kept", "tax_class",
))  # fmt: skip

SAVE_STAGED = Query(
    "catalog.save_staged",
    """
WITH staged AS (DELETE FROM catalog.staged WHERE batch = $1 RETURNING *)
INSERT INTO catalog.product (id, external_id, slug, title, model, description, brand_id, category_id, sku, price,
    compare_at_price, currency, image, tags, specifications, published_at, created_at, updated_at, rating,
    review_count, popularity, badge, in_stock, codes, status, tax_class)
SELECT n.id, n.external_id, n.slug, n.title,
    CASE WHEN o.id IS NOT NULL AND 'model' = ANY(n.kept) THEN o.model ELSE n.model END,
    CASE WHEN o.id IS NOT NULL AND 'description' = ANY(n.kept) THEN o.description ELSE n.description END,
    CASE WHEN o.id IS NOT NULL AND 'brand' = ANY(n.kept) THEN o.brand_id ELSE n.brand_id END,
    CASE WHEN o.id IS NOT NULL AND 'category' = ANY(n.kept) THEN o.category_id ELSE n.category_id END, n.sku, n.price,
    CASE WHEN 'compare_at_price' = ANY(n.kept) AND o.compare_at_price > n.price THEN o.compare_at_price
        ELSE n.compare_at_price END, n.currency,
    CASE WHEN o.id IS NOT NULL AND 'pictures' = ANY(n.kept) THEN o.image ELSE n.image END,
    CASE WHEN o.id IS NOT NULL AND 'tags' = ANY(n.kept) THEN o.tags ELSE n.tags END,
    CASE WHEN o.id IS NOT NULL AND 'specifications' = ANY(n.kept) THEN o.specifications ELSE n.specifications END,
    coalesce(n.published_at, o.published_at, $2), $2, $2, n.rating, n.review_count, n.popularity,
    CASE WHEN o.id IS NOT NULL AND 'badge' = ANY(n.kept) THEN o.badge ELSE n.badge END, n.in_stock, n.codes,
    coalesce(n.status, o.status, 'active'), coalesce(n.tax_class, o.tax_class, 'standard')
FROM staged AS n LEFT JOIN LATERAL (
    -- OFFSET 0: one look into the index for each row, however few rows the planner believes the table to have.
    SELECT * FROM catalog.product AS p WHERE p.id = n.id OFFSET 0
) AS o ON true
ON CONFLICT (id) DO UPDATE SET external_id = coalesce(excluded.external_id, catalog.product.external_id),
    title = excluded.title, model = excluded.model,
    description = excluded.description, brand_id = excluded.brand_id, category_id = excluded.category_id,
    sku = excluded.sku, price = excluded.price, compare_at_price = excluded.compare_at_price,
    currency = excluded.currency, image = excluded.image, tags = excluded.tags, badge = excluded.badge,
    specifications = excluded.specifications, published_at = excluded.published_at,
    updated_at = excluded.updated_at, codes = excluded.codes, status = excluded.status,
    tax_class = excluded.tax_class, version = catalog.product.version + 1
""",
)

COPY_VARIANTS = Copy("catalog.copy_variants", "catalog.variant", (
    "id", "product_id", "sku", "title", "options", "price", "compare_at_price", "currency", "position", "weight_g",
    "barcode", "priced_at",
))  # fmt: skip

COPY_PICTURES = Copy("catalog.copy_pictures", "catalog.picture", (
    "id", "product_id", "url", "alt", "position", "variant_id",
))  # fmt: skip

UPDATE_VARIANTS = Query(
    "catalog.update_variants",
    """
UPDATE catalog.variant AS v
SET sku = n.sku, price = n.price, currency = n.currency, compare_at_price = CASE
        WHEN n.keeps AND v.compare_at_price > n.price THEN v.compare_at_price ELSE n.compare_at_price END,
    title = coalesce(n.title, v.title), options = coalesce(n.options::jsonb, v.options),
    weight_g = coalesce(n.weight_g, v.weight_g), barcode = coalesce(n.barcode, v.barcode)
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[],
    $9::text[], $10::boolean[])
    AS n(id, sku, price, compare_at_price, currency, title, options, weight_g, barcode, keeps)
WHERE v.id = n.id
""",
)

_OF_VARIANTS = """SELECT product_id, (array_agg(price ORDER BY position))[1] AS price,
        (array_agg(compare_at_price ORDER BY position))[1] AS compare_at_price, array_agg(sku ORDER BY position)
        || coalesce(array_agg(barcode ORDER BY position) FILTER (WHERE barcode IS NOT NULL), '{}') AS codes
    FROM catalog.variant"""

SHOW_VARIANTS = Query(
    "catalog.show_variants",
    f"""
UPDATE catalog.product AS p SET price = v.price, compare_at_price = v.compare_at_price, codes = v.codes
FROM ({_OF_VARIANTS} WHERE product_id = ANY($1) GROUP BY product_id) AS v
WHERE p.id = v.product_id
    AND (p.price, p.compare_at_price, p.codes) IS DISTINCT FROM (v.price, v.compare_at_price, v.codes)
""",
)

DROP_PICTURES = Query(
    "catalog.drop_pictures",
    "DELETE FROM catalog.picture WHERE product_id = ANY($1) RETURNING id, product_id, url, alt, variant_id",
)

MARK_STOCKED = Query(
    "catalog.mark_stocked",
    """
UPDATE catalog.product AS p SET in_stock = s.in_stock
FROM unnest($1::uuid[], $2::boolean[]) AS s(id, in_stock)
WHERE p.id = s.id AND p.in_stock <> s.in_stock
""",
)

LOCK_PRODUCTS = Query(
    "catalog.lock_products", "SELECT id FROM catalog.product WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE"
)

ADD_POPULARITY = Query(
    "catalog.add_popularity",
    """
UPDATE catalog.product AS p SET popularity = p.popularity + s.sold
FROM (SELECT id, sold FROM unnest($1::uuid[], $2::bigint[]) AS s(id, sold) ORDER BY id) AS s
WHERE p.id = s.id
""",
)

ON_SALE = Query(
    "catalog.on_sale", "SELECT id FROM catalog.product WHERE status = 'active' AND (id = $1::uuid OR slug = $2)"
)

RATE = Query("catalog.rate", "UPDATE catalog.product SET rating = $2, review_count = $3 WHERE id = $1")

_NEWEST = """
SELECT sku, slug, title, status, price, currency, in_stock, created_at, id, version FROM catalog.product
WHERE (created_at, id) < ($2, $3) AND {} ORDER BY created_at DESC, id DESC LIMIT $1
"""

LIST_NEWEST = Query("catalog.list_newest", _NEWEST.format("($4::text IS NULL OR status = $4)"))
LIST_OFF_SALE = Query("catalog.list_off_sale", _NEWEST.format("status = $4 AND status <> 'active'"))


Truth(
    "every product has something to buy",
    Query(
        "catalog.truth_variants",
        """
SELECT p.id FROM catalog.product AS p WHERE NOT EXISTS (SELECT FROM catalog.variant AS v WHERE v.product_id = p.id)
""",
    ),
)
Truth(
    "a product's price is that of its first variant, and its codes are those of all",
    Query(
        "catalog.truth_price",
        f"""
SELECT p.id FROM catalog.product AS p JOIN ({_OF_VARIANTS} GROUP BY product_id) AS v ON v.product_id = p.id
WHERE (p.price, p.compare_at_price) IS DISTINCT FROM (v.price, v.compare_at_price)
    OR NOT (p.codes @> v.codes AND p.codes <@ v.codes)
""",
    ),
)
Truth(
    "a category counts the products on sale in it",
    Query(
        "catalog.truth_counts",
        """
SELECT c.id FROM catalog.category_tree AS c WHERE c.products <> (
    SELECT count(*) FROM catalog.product AS p WHERE p.category_id = c.id AND p.status = 'active')
""",
    ),
)
Truth(
    "a category's ancestors end with itself and start with its parent's",
    Query(
        "catalog.truth_ancestors",
        """
SELECT c.id FROM catalog.category AS c LEFT JOIN catalog.category AS p ON p.id = c.parent_id
WHERE c.ancestors <> coalesce(p.ancestors, '{}') || c.id
""",
    ),
)
