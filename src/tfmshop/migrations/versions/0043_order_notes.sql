-- squawk-ignore-file require-concurrent-index-creation
SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = '60s';

CREATE TABLE orders.note (
    id uuid NOT NULL CONSTRAINT note_pkey PRIMARY KEY,
    order_id uuid NOT NULL CONSTRAINT note_order_fkey REFERENCES orders.placed (id),
    at timestamptz NOT NULL,
    who text NOT NULL,
    text text NOT NULL CONSTRAINT note_text CHECK (length(text) BETWEEN 1 AND 2000)
);
COMMENT ON TABLE orders.note IS 'What staff write down about an order, for each other.';
CREATE INDEX note_order ON orders.note (order_id, at);
COMMENT ON INDEX orders.note_order IS 'Staff read the notes of an order; forgetting a buyer removes them.';
CREATE INDEX placed_email ON orders.placed (lower(email), placed_at DESC, id DESC);
COMMENT ON INDEX orders.placed_email IS 'Staff find the orders of an e-mail address, also those of guests.';
