-- squawk-ignore-file require-concurrent-index-creation
-- What a change makes stale is told to every process when the change is committed, whoever made it.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

-- Tells what is stale from now on; too many tags for one message are everything.
CREATE FUNCTION platform.stale(tags text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    message text := (SELECT string_agg(DISTINCT t.tag, ',') FROM unnest(tags) AS t(tag));
BEGIN
    IF message IS NOT NULL THEN
        PERFORM pg_notify('stale', CASE WHEN octet_length(message) > 7000 THEN '*' ELSE message END);
    END IF;
END
$$;
CREATE FUNCTION platform.everything_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale('{*}');
    RETURN NULL;
END
$$;

-- What products that are or were on sale are part of: lists of all, and of each category above them.
CREATE FUNCTION catalog.lists_of(categories uuid[]) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY['list'] || coalesce(array_agg('list:' || up.name), '{}')
    FROM (SELECT DISTINCT unnest(c.ancestors) AS id FROM catalog.category AS c WHERE c.id = ANY(categories)) AS a
    JOIN catalog.category AS u ON u.id = a.id CROSS JOIN LATERAL (
        SELECT u.slug UNION ALL SELECT u.id::text
        UNION ALL SELECT f.slug FROM catalog.former_category_slug AS f WHERE f.category_id = u.id) AS up(name)
$$;

CREATE FUNCTION catalog.product_added_stale() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    places uuid[] := ARRAY(SELECT DISTINCT category_id FROM added WHERE status = 'active');
BEGIN
    IF cardinality(places) > 0 THEN
        PERFORM platform.stale(catalog.lists_of(places) || ARRAY['missing', 'categories']
            || ARRAY(SELECT 'related:' || place FROM unnest(places) AS p(place) WHERE place IS NOT NULL));
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION catalog.product_removed_stale() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    places uuid[] := ARRAY(SELECT DISTINCT category_id FROM removed WHERE status = 'active');
BEGIN
    IF cardinality(places) > 0 THEN
        PERFORM platform.stale(catalog.lists_of(places) || ARRAY['missing', 'categories']
            || ARRAY(SELECT 'related:' || place FROM unnest(places) AS p(place) WHERE place IS NOT NULL)
            || ARRAY(SELECT 'product:' || id FROM removed WHERE status = 'active'));
    END IF;
    RETURN NULL;
END
$$;

-- How often something was sold changes its place in some lists and nothing that is shown: that waits for their age.
CREATE FUNCTION catalog.product_changed_stale() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid[];
    places uuid[];
    moved uuid[];
    shown uuid[];
BEGIN
    SELECT coalesce(array_agg(n.id), '{}'), array_agg(n.id) FILTER (WHERE n.status <> o.status),
        array_agg(n.category_id) || array_agg(o.category_id),
        coalesce(array_agg(n.category_id) FILTER (WHERE m.moved) || array_agg(o.category_id) FILTER (WHERE m.moved), '{}')
    INTO changed, shown, places, moved
    FROM added AS n JOIN removed AS o ON o.id = n.id
    CROSS JOIN LATERAL (SELECT (n.status, n.category_id, n.published_at, n.slug) IS DISTINCT FROM
        (o.status, o.category_id, o.published_at, o.slug) AS moved) AS m
    WHERE (n.status = 'active' OR o.status = 'active') AND
        (m.moved OR (n.title, n.model, n.description, n.brand_id, n.sku, n.codes, n.external_id, n.price,
            n.compare_at_price, n.currency, n.rating, n.review_count, n.in_stock, n.badge, n.image, n.tags,
            n.specifications, n.featured, n.version, n.updated_at)
        IS DISTINCT FROM (o.title, o.model, o.description, o.brand_id, o.sku, o.codes, o.external_id, o.price,
            o.compare_at_price, o.currency, o.rating, o.review_count, o.in_stock, o.badge, o.image, o.tags,
            o.specifications, o.featured, o.version, o.updated_at));
    IF cardinality(changed) > 0 THEN
        PERFORM platform.stale(ARRAY(SELECT 'product:' || id FROM unnest(changed) AS c(id)) || catalog.lists_of(places)
            || CASE WHEN cardinality(moved) > 0 THEN ARRAY['missing', 'categories'] ELSE '{}' END
            || ARRAY(SELECT 'related:' || place FROM unnest(moved) AS m(place) WHERE place IS NOT NULL)
            || CASE WHEN shown IS NULL THEN '{}'
                ELSE ARRAY(SELECT 'product:' || r.product_id FROM catalog.related AS r WHERE r.other_id = ANY(shown)) END);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER product_added_stale AFTER INSERT ON catalog.product REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.product_added_stale();
CREATE TRIGGER product_removed_stale AFTER DELETE ON catalog.product REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.product_removed_stale();
CREATE TRIGGER product_changed_stale AFTER UPDATE ON catalog.product
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.product_changed_stale();
CREATE TRIGGER product_emptied_stale AFTER TRUNCATE ON catalog.product
    FOR EACH STATEMENT EXECUTE FUNCTION platform.everything_stale();

-- What is shown on the page of a product and kept in tables of its own.
CREATE FUNCTION catalog.part_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'product:' || product_id FROM changed));
    RETURN NULL;
END
$$;
CREATE TRIGGER variant_added_stale AFTER INSERT ON catalog.variant REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.part_stale();
CREATE TRIGGER variant_changed_stale AFTER UPDATE ON catalog.variant REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.part_stale();
CREATE TRIGGER variant_removed_stale AFTER DELETE ON catalog.variant REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.part_stale();
CREATE TRIGGER picture_added_stale AFTER INSERT ON catalog.picture REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.part_stale();
CREATE TRIGGER picture_changed_stale AFTER UPDATE ON catalog.picture REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.part_stale();
CREATE TRIGGER picture_removed_stale AFTER DELETE ON catalog.picture REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.part_stale();
CREATE INDEX related_other ON catalog.related (other_id);
CREATE FUNCTION catalog.related_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY['list'] || ARRAY(SELECT DISTINCT 'product:' || product_id FROM changed));
    RETURN NULL;
END
$$;
CREATE TRIGGER related_added_stale AFTER INSERT ON catalog.related REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.related_stale();
CREATE TRIGGER related_changed_stale AFTER UPDATE ON catalog.related REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.related_stale();
CREATE TRIGGER related_removed_stale AFTER DELETE ON catalog.related REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.related_stale();

-- Names and shapes that any page may show change rarely.
CREATE FUNCTION catalog.category_changed_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added AS n JOIN removed AS o ON o.id = n.id WHERE
            (n.parent_id, n.slug, n.name, n.position, n.ancestors)
            IS DISTINCT FROM (o.parent_id, o.slug, o.name, o.position, o.ancestors)) THEN
        PERFORM platform.stale('{*}');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER category_changed_stale AFTER UPDATE ON catalog.category
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION catalog.category_changed_stale();
CREATE TRIGGER category_added_stale AFTER INSERT OR DELETE ON catalog.category
    FOR EACH STATEMENT EXECUTE FUNCTION platform.everything_stale();
CREATE TRIGGER brand_changed_stale AFTER UPDATE OF slug, name, name_key ON catalog.brand
    FOR EACH STATEMENT EXECUTE FUNCTION platform.everything_stale();
CREATE TRIGGER attribute_changed_stale AFTER INSERT OR UPDATE OR DELETE ON catalog.attribute
    FOR EACH STATEMENT EXECUTE FUNCTION platform.everything_stale();

-- How many there are is shown on the page of the product.
CREATE FUNCTION inventory.stock_changed_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'product:' || n.product_id
        FROM added AS n JOIN removed AS o ON o.variant_id = n.variant_id AND o.warehouse = n.warehouse
        WHERE n.available <> o.available OR n.backorder_limit <> o.backorder_limit));
    RETURN NULL;
END
$$;
CREATE FUNCTION inventory.stock_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'product:' || product_id FROM changed));
    RETURN NULL;
END
$$;
CREATE TRIGGER stock_added_stale AFTER INSERT ON inventory.stock REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION inventory.stock_stale();
CREATE TRIGGER stock_removed_stale AFTER DELETE ON inventory.stock REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION inventory.stock_stale();
CREATE TRIGGER stock_changed_stale AFTER UPDATE ON inventory.stock
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION inventory.stock_changed_stale();

CREATE FUNCTION reviews.review_changed_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'reviews:' || n.product_id
        FROM added AS n JOIN removed AS o ON o.id = n.id WHERE n.status = 'published' OR o.status = 'published'));
    RETURN NULL;
END
$$;
CREATE FUNCTION reviews.review_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale(ARRAY(SELECT DISTINCT 'reviews:' || product_id FROM changed WHERE status = 'published'));
    RETURN NULL;
END
$$;
CREATE TRIGGER review_changed_stale AFTER UPDATE ON reviews.review
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION reviews.review_changed_stale();
CREATE TRIGGER review_added_stale AFTER INSERT ON reviews.review REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION reviews.review_stale();
CREATE TRIGGER review_removed_stale AFTER DELETE ON reviews.review REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION reviews.review_stale();

CREATE FUNCTION search.words_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM platform.stale('{search}');
    RETURN NULL;
END
$$;
CREATE TRIGGER synonym_changed_stale AFTER INSERT OR UPDATE OR DELETE ON search.synonym
    FOR EACH STATEMENT EXECUTE FUNCTION search.words_stale();

-- What is found changes without a product when words are learnt, a projection is swapped, or a category's entries are
-- written anew.
CREATE TRIGGER state_changed_stale AFTER UPDATE OF language, learnt_at, tier_open, model ON search.state
    FOR EACH STATEMENT EXECUTE FUNCTION platform.everything_stale();
CREATE OR REPLACE FUNCTION search.rewrite(products uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM catalog.product WHERE id = ANY(products) ORDER BY id FOR NO KEY UPDATE;
    PERFORM search.keep(products, ARRAY(
        SELECT id FROM unnest(products) AS id WHERE NOT EXISTS (SELECT FROM catalog.findable AS f WHERE f.id = id)));
    PERFORM platform.stale('{*}');
END
$$;

-- What was asked for of the public pages, and how much that counts: a day halves it.
CREATE TABLE platform.asked (
    key text NOT NULL CONSTRAINT asked_pkey PRIMARY KEY,
    times double precision NOT NULL,
    at timestamptz NOT NULL
);

-- What each web server process counts about its cache, for `tfmshop cache`; lost in a crash, and made again.
CREATE UNLOGGED TABLE platform.cache_report (
    process uuid NOT NULL CONSTRAINT cache_report_pkey PRIMARY KEY,
    at timestamptz NOT NULL,
    report jsonb NOT NULL
);
