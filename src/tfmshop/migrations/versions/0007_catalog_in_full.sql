-- Products in full: codes, schedule, former slugs and prices, attributes, related products, counts by category.
-- Nothing was released before this revision, so indexes are made and dropped while nobody is served:
-- squawk-ignore-file require-concurrent-index-deletion, require-concurrent-index-creation, ban-drop-column, ban-drop-function, ban-drop-view, ban-drop-not-null
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '10min';

-- Lists and search read their own projection from now on (the next revision).
DROP VIEW catalog.findable;
DROP INDEX catalog.product_newest;
DROP INDEX catalog.product_by_price;
DROP INDEX catalog.product_by_rating;
DROP INDEX catalog.product_by_title;
DROP INDEX catalog.product_by_popularity;
DROP INDEX catalog.product_stocked_newest;
DROP INDEX catalog.product_category_price;
DROP INDEX catalog.product_category_stock;
DROP INDEX catalog.product_brand_newest;
DROP INDEX catalog.product_brand_price;
DROP INDEX catalog.product_tags;
DROP INDEX catalog.product_specifications;
DROP INDEX catalog.product_search;
DROP INDEX catalog.product_title_trigram;
ALTER TABLE catalog.product DROP COLUMN search;
DROP FUNCTION catalog.search_words(text, text, text, text, text, jsonb);

ALTER TABLE catalog.product
    -- SKUs and barcodes of every variant: what else the product is found by.
    ADD COLUMN codes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN publish_at timestamptz,
    ADD COLUMN withdraw_at timestamptz,
    ADD COLUMN featured boolean NOT NULL DEFAULT false;
CREATE INDEX product_to_publish ON catalog.product (publish_at) WHERE status = 'draft' AND publish_at IS NOT NULL;
CREATE INDEX product_to_withdraw ON catalog.product (withdraw_at) WHERE status = 'active' AND withdraw_at IS NOT NULL;
CREATE INDEX product_featured ON catalog.product (published_at DESC, id DESC) WHERE status = 'active' AND featured;

ALTER TABLE catalog.staged
    ADD COLUMN codes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN status text,
    ALTER COLUMN published_at DROP NOT NULL;

ALTER TABLE catalog.variant
    ADD COLUMN weight_g integer CONSTRAINT variant_weight CHECK (weight_g >= 0),
    ADD COLUMN barcode text,
    -- When the present price began.
    ADD COLUMN priced_at timestamptz NOT NULL DEFAULT now();

-- NULL: a picture of the whole product.
ALTER TABLE catalog.picture ADD COLUMN variant_id uuid;

-- Where a product or category was found before: old addresses lead to the new one.
CREATE TABLE catalog.former_slug (
    slug text NOT NULL CONSTRAINT former_slug_pkey PRIMARY KEY,
    product_id uuid NOT NULL CONSTRAINT former_slug_product_fkey REFERENCES catalog.product (id) ON DELETE CASCADE
);
CREATE INDEX former_slug_product ON catalog.former_slug (product_id);

CREATE TABLE catalog.former_category_slug (
    slug text NOT NULL CONSTRAINT former_category_slug_pkey PRIMARY KEY,
    category_id uuid NOT NULL
        CONSTRAINT former_category_slug_fkey REFERENCES catalog.category (id) ON DELETE CASCADE
);

-- What a variant cost before, and until when: the lowest price of 30 days is read from here.
CREATE TABLE catalog.former_price (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT former_price_pkey PRIMARY KEY,
    variant_id uuid NOT NULL CONSTRAINT former_price_variant_fkey REFERENCES catalog.variant (id) ON DELETE CASCADE,
    price bigint NOT NULL,
    currency text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL
);
CREATE INDEX former_price_variant ON catalog.former_price (variant_id, ended_at DESC);

CREATE FUNCTION catalog.price_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO catalog.former_price (variant_id, price, currency, began_at, ended_at)
    VALUES (OLD.id, OLD.price, OLD.currency, OLD.priced_at, now());
    NEW.priced_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER price_begins BEFORE UPDATE OF price, currency ON catalog.variant FOR EACH ROW
    WHEN (OLD.price <> NEW.price OR OLD.currency <> NEW.currency) EXECUTE FUNCTION catalog.price_begins();

-- What may be said of the products of a category (and those below it), in which unit; NULL: of every product.
CREATE TABLE catalog.attribute (
    id uuid NOT NULL CONSTRAINT attribute_pkey PRIMARY KEY,
    category_id uuid CONSTRAINT attribute_category_fkey REFERENCES catalog.category (id) ON DELETE CASCADE,
    name text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL CONSTRAINT attribute_kind CHECK (kind IN ('text', 'number', 'flag')),
    unit text,
    position integer NOT NULL DEFAULT 0,
    CONSTRAINT attribute_unit CHECK (unit IS NULL OR kind = 'number')
);
CREATE UNIQUE INDEX attribute_name ON catalog.attribute (category_id, name) NULLS NOT DISTINCT;

CREATE TABLE catalog.related (
    product_id uuid NOT NULL CONSTRAINT related_product_fkey REFERENCES catalog.product (id) ON DELETE CASCADE,
    other_id uuid NOT NULL CONSTRAINT related_other_fkey REFERENCES catalog.product (id) ON DELETE CASCADE,
    position integer NOT NULL DEFAULT 0,
    CONSTRAINT related_pkey PRIMARY KEY (product_id, other_id),
    CONSTRAINT related_other CHECK (product_id <> other_id)
);

-- Products on sale right in a category: the number as it was counted last, and what changed since. Writers add a row
-- each instead of waiting for one another at the category; a job adds the rows up.
ALTER TABLE catalog.category ADD COLUMN products bigint NOT NULL DEFAULT 0;
CREATE TABLE catalog.count_change (
    category_id uuid NOT NULL,
    change bigint NOT NULL
);
CREATE INDEX count_change_category ON catalog.count_change (category_id) INCLUDE (change);

CREATE FUNCTION catalog.count_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO catalog.count_change (category_id, change)
    SELECT category_id, count(*) FROM added WHERE status = 'active' AND category_id IS NOT NULL GROUP BY category_id;
    RETURN NULL;
END
$$;
CREATE FUNCTION catalog.count_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO catalog.count_change (category_id, change)
    SELECT category_id, -count(*) FROM removed WHERE status = 'active' AND category_id IS NOT NULL
    GROUP BY category_id;
    RETURN NULL;
END
$$;
CREATE FUNCTION catalog.count_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO catalog.count_change (category_id, change)
    SELECT category_id, sum(change) FROM (
        SELECT n.category_id, 1 AS change FROM added AS n JOIN removed AS o ON o.id = n.id
        WHERE n.status = 'active' AND (o.status <> 'active' OR o.category_id IS DISTINCT FROM n.category_id)
        UNION ALL
        SELECT o.category_id, -1 FROM added AS n JOIN removed AS o ON o.id = n.id
        WHERE o.status = 'active' AND (n.status <> 'active' OR o.category_id IS DISTINCT FROM n.category_id)
    ) AS moved WHERE category_id IS NOT NULL GROUP BY category_id HAVING sum(change) <> 0;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_added AFTER INSERT ON catalog.product REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.count_added();
CREATE TRIGGER count_removed AFTER DELETE ON catalog.product REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.count_removed();
CREATE TRIGGER count_changed AFTER UPDATE ON catalog.product REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.count_changed();

UPDATE catalog.category AS c SET products = n.products
FROM (SELECT category_id, count(*) AS products FROM catalog.product WHERE status = 'active' GROUP BY category_id) AS n
WHERE n.category_id = c.id;
UPDATE catalog.product AS p SET codes = v.codes
FROM (SELECT product_id, array_agg(sku ORDER BY position) AS codes FROM catalog.variant GROUP BY product_id) AS v
WHERE v.product_id = p.id;

-- For other modules: the categories with the number of products on sale right in them.
CREATE VIEW catalog.category_tree AS
SELECT c.id, c.slug, c.name, c.parent_id, c.position, c.ancestors,
    c.products + coalesce((SELECT sum(n.change) FROM catalog.count_change AS n WHERE n.category_id = c.id), 0)::bigint
        AS products
FROM catalog.category AS c;

-- For other modules: where categories are found, now or formerly.
CREATE VIEW catalog.category_address AS
SELECT slug, id FROM catalog.category
UNION ALL
SELECT f.slug, f.category_id FROM catalog.former_category_slug AS f
WHERE NOT EXISTS (SELECT FROM catalog.category AS c WHERE c.slug = f.slug);

-- For other modules: brands by name.
CREATE VIEW catalog.brand_name AS SELECT id, slug, name, name_key FROM catalog.brand;

-- For other modules: a product as lists show it.
CREATE VIEW catalog.card AS
SELECT p.id, p.slug, p.sku, p.external_id, p.title, b.name AS brand, p.price, p.compare_at_price, p.currency,
    p.rating, p.review_count, p.in_stock, p.image, p.badge
FROM catalog.product AS p LEFT JOIN catalog.brand AS b ON b.id = p.brand_id;

-- For other modules: what a product on sale can be found by.
CREATE VIEW catalog.findable AS
SELECT p.id, p.category_id, p.brand_id, b.name AS brand, p.title, p.model, p.sku, p.external_id, p.codes,
    p.description, p.specifications, p.tags, p.price, p.rating, p.popularity, p.published_at, p.in_stock,
    c.name AS category, c.ancestors,
    (SELECT string_agg(up.name, ' ') FROM catalog.category AS up WHERE up.id = ANY(c.ancestors)) AS categories
FROM catalog.product AS p LEFT JOIN catalog.brand AS b ON b.id = p.brand_id
LEFT JOIN catalog.category AS c ON c.id = p.category_id
WHERE p.status = 'active';

-- For other modules: every product, on sale or not, and every variant, as exports write them.
CREATE VIEW catalog.exportable AS
SELECT p.id, p.external_id, p.sku, p.slug, p.title, p.status, p.price, p.compare_at_price, p.currency, b.name AS brand,
    (SELECT string_agg(up.name, ' > ' ORDER BY array_position(c.ancestors, up.id))
        FROM catalog.category AS up WHERE up.id = ANY(c.ancestors)) AS category,
    p.model, p.description, p.tags, p.badge, p.specifications, p.published_at,
    ARRAY(SELECT i.url FROM catalog.picture AS i WHERE i.product_id = p.id ORDER BY i.position) AS pictures
FROM catalog.product AS p LEFT JOIN catalog.brand AS b ON b.id = p.brand_id
LEFT JOIN catalog.category AS c ON c.id = p.category_id;
CREATE VIEW catalog.offered AS
SELECT id, product_id, sku, title, options, price, compare_at_price, weight_g, barcode, position FROM catalog.variant;
