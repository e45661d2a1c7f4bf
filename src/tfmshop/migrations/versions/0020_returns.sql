-- Goods that come back: asked for by the buyer, received or refused by staff.
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE orders.return (
    id uuid NOT NULL CONSTRAINT return_pkey PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT return_order_fkey REFERENCES orders.placed (id),
    status text NOT NULL DEFAULT 'asked' CONSTRAINT return_status CHECK (status IN ('asked', 'received', 'refused')),
    who text NOT NULL,
    why text NOT NULL,
    asked_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    answer text NOT NULL DEFAULT '',
    CONSTRAINT return_decided CHECK ((status = 'asked') = (decided_at IS NULL))
);
CREATE INDEX return_order ON orders.return (order_id);
CREATE INDEX return_asked ON orders.return (asked_at, id) WHERE status = 'asked';

CREATE TABLE orders.return_line (
    return_id uuid NOT NULL CONSTRAINT return_line_return_fkey REFERENCES orders.return (id),
    order_id uuid NOT NULL,
    position integer NOT NULL,
    quantity integer NOT NULL CONSTRAINT return_line_quantity CHECK (quantity > 0),
    CONSTRAINT return_line_pkey PRIMARY KEY (return_id, position),
    CONSTRAINT return_line_line_fkey FOREIGN KEY (order_id, position) REFERENCES orders.line (order_id, position)
);

ALTER TABLE orders.returned ADD COLUMN restocked boolean NOT NULL DEFAULT false;

-- For other modules: what was bought in which order, and what of it went back to the shelf.
CREATE OR REPLACE VIEW orders.bought AS
SELECT o.id AS order_id, o.number, o.cart_id, o.status, l.variant_id, sum(l.quantity)::bigint AS quantity,
    coalesce(sum((SELECT sum(r.quantity) FROM orders.returned AS r
        WHERE r.order_id = l.order_id AND r.position = l.position AND r.restocked)), 0)::bigint AS restocked
FROM orders.placed AS o JOIN orders.line AS l ON l.order_id = o.id
GROUP BY o.id, l.variant_id;
