-- What buyers think. Published after staff looked at it.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE SCHEMA reviews;
CREATE TABLE reviews.review (
    id uuid NOT NULL CONSTRAINT review_pkey PRIMARY KEY,
    product_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    author text NOT NULL,
    rating integer NOT NULL CONSTRAINT review_rating CHECK (rating BETWEEN 1 AND 5),
    title text NOT NULL DEFAULT '',
    body text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'pending'
        CONSTRAINT review_status CHECK (status IN ('pending', 'published', 'refused')),
    created_at timestamptz NOT NULL DEFAULT now(),
    moderated_at timestamptz,
    moderated_by text
);
CREATE UNIQUE INDEX review_once ON reviews.review (customer_id, product_id);
CREATE INDEX review_of_product ON reviews.review (product_id, created_at DESC, id DESC) WHERE status = 'published';
CREATE INDEX review_pending ON reviews.review (created_at, id) WHERE status = 'pending';

-- For other modules: who has which product from an order that was paid.
CREATE VIEW orders.owned AS
SELECT DISTINCT o.customer_id, l.product_id FROM orders.placed AS o JOIN orders.line AS l ON l.order_id = o.id
WHERE o.customer_id IS NOT NULL AND o.status IN ('paid', 'packed', 'shipped', 'delivered', 'refunded');
