-- What truths look at: jobs that are not done.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE VIEW jobs.unfinished AS SELECT entrypoint AS name, payload, created AS since, status FROM jobs.pgqueuer;

-- Tax classes come with imports, and go with exports.
ALTER TABLE catalog.staged ADD COLUMN tax_class text;
CREATE OR REPLACE VIEW catalog.exportable AS
SELECT p.id, p.external_id, p.sku, p.slug, p.title, p.status, p.price, p.compare_at_price, p.currency, b.name AS brand,
    (SELECT string_agg(up.name, ' > ' ORDER BY array_position(c.ancestors, up.id))
        FROM catalog.category AS up WHERE up.id = ANY(c.ancestors)) AS category,
    p.model, p.description, p.tags, p.badge, p.specifications, p.published_at,
    ARRAY(SELECT i.url FROM catalog.picture AS i WHERE i.product_id = p.id ORDER BY i.position) AS pictures, p.tax_class
FROM catalog.product AS p LEFT JOIN catalog.brand AS b ON b.id = p.brand_id
LEFT JOIN catalog.category AS c ON c.id = p.category_id;

-- For other modules: what can have a level, on sale or not.
CREATE VIEW catalog.stockable AS
SELECT v.id AS variant_id, v.product_id, v.sku, p.slug, v.position
FROM catalog.variant AS v JOIN catalog.product AS p ON p.id = v.product_id;

-- A guest's token is made again, with the next number, when their e-mail address was another's.
ALTER TABLE orders.placed ADD COLUMN token_number integer NOT NULL DEFAULT 0;

-- As `cart.lines_of`, with the price at which each was added: who moves lines sees them as they are after waiting for
-- their cart.
CREATE FUNCTION cart.priced_lines_of(in_cart uuid)
RETURNS TABLE (variant_id uuid, quantity integer, unit_price bigint, added_at timestamptz, id uuid)
LANGUAGE sql VOLATILE AS $$
    SELECT l.variant_id, l.quantity, l.unit_price, l.added_at, l.id FROM cart.line AS l WHERE l.cart_id = in_cart
$$;
